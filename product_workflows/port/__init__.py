"""The product "Port": a place on a node where a customer is connected."""
