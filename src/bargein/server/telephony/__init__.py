"""Telephone calls: the carriers, what they tell, and the calls that are held over them."""
