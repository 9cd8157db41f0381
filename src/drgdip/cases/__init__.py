"""Cases: what one is, how it is read, its codes and their editions."""
