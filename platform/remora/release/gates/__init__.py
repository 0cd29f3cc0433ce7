"""What a candidate must hold before it becomes production: pure decisions here, what they decide on in evidence/."""
