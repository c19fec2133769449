"""What several inpainters use."""
