"""The bridge service: observe, plan, apply, write status; one loop, which acts in one place."""
