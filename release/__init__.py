"""What is handed to people: one file that runs with nothing but Python, and a Debian package. No part of the installation."""
