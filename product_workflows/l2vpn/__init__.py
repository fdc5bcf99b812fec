"""The product "L2VPN": a virtual circuit between two to eight ports."""
