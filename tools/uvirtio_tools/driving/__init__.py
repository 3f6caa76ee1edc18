"""Driving a device: opening it, what its workload and its host side are told, and whether it notifies."""
