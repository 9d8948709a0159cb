"""The measurements for a network of one's own: functions on torch modules, with results to print and keep."""
