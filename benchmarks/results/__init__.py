"""Result archive → dataset: this project against what one would write instead."""
