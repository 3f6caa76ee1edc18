"""What is carried to where nothing is installed: one file with all that uvirtio needs, and a guest that boots from memory."""
