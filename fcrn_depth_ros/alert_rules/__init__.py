"""The rules that `alert.py` puts together: each says for itself whether the robot may go."""
