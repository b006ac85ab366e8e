"""Drivers of the system under test."""
