"""Draw a hole and edges on an image and see it completed, in a window or in a browser.

python guided_demo.py --image photo.jpg --checkpoint_dir runs/quickstart_guided
python guided_demo.py --web --checkpoint_dir runs/quickstart_guided
"""

from tf_inpaint import cli
from tf_inpaint.demo.command import main

if __name__ == "__main__":
    cli.run(main)
