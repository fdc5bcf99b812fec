"""The product "Node Enrollment": a node of the network, from its reservation in the inventory to its removal."""
