"""The list of whose images weights were trained on: a CSV of source, licence, author and how many images.

    python benchmarks/attribution.py --images train.flist --sources photos/SOURCES.csv --output mine.csv

`--images` are folders or lists as `data.train` has them. A sources file has a row for each image, with the columns file
(relative to the sources file), source, licence, and author_or_photo. An image that no row names ends it in a sentence;
what a whole folder is under goes by `--under FOLDER SOURCE LICENCE AUTHOR`.
"""

from __future__ import annotations

import collections
import csv
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import replace
from tf_inpaint.io.listing import list_files

COLUMNS = ("source", "licence", "author_or_photo")


def main(argv):
    """Writes the list."""
    parser = cli.Parser(prog="attribution.py", description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", required=True, help="folders, globs or lists")
    parser.add_argument("--sources", nargs="+", default=[], help="CSV files")
    parser.add_argument(
        "--under", nargs=4, action="append", default=[], metavar=("FOLDER", "SOURCE", "LICENCE", "AUTHOR")
    )
    parser.add_argument("--output", required=True, help="the CSV to write")
    arguments = parser.parse_args(argv)
    known = {}
    for file in map(Path, arguments.sources):
        with open(file, newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                known[(file.parent / row["file"]).resolve()] = tuple(row[name] for name in COLUMNS)
    under = {Path(folder).resolve(): row for folder, *row in arguments.under}
    counted = collections.Counter()
    for image in {Path(file).resolve() for file in list_files(arguments.images)}:
        row = known.get(image) or next((under[folder] for folder in image.parents if folder in under), None)
        if row is None:
            raise InputError(f"{image} is in none of the sources")
        counted[tuple(row)] += 1
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow((*COLUMNS, "images"))
    writer.writerows((*row, count) for row, count in sorted(counted.items()))
    replace(arguments.output, table.getvalue())
    print(f"{sum(counted.values())} images, {len(counted)} rows, {len({row[1] for row in counted})} licences")
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
