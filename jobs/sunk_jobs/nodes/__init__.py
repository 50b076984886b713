"""What nodes say of themselves, and which of them are not as the others."""
