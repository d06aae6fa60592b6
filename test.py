"""Complete images: python test.py --image x.png --mask m.png [--output o.png] [--checkpoint_dir D]; see --help."""

from tf_inpaint.cli import run
from tf_inpaint.predict.command import main

if __name__ == "__main__":
    run(main)
