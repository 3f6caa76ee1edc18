"""What ``uvirtio bench`` measures: one module per subject, each giving rows of figures."""
