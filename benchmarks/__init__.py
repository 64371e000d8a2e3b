"""What this project's speed and memory are, beside the best script that other tools allow."""
