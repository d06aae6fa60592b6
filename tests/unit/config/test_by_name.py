"""Shipped configs, by name or by path."""

from pathlib import Path

import pytest

from tf_inpaint.config import by_name
from tf_inpaint.config.by_name import config_file, list_configs, shipped_configs

FOLDER = Path(__file__).resolve().parents[3] / "configs"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("called", ["celeba", "celeba.yml", "configs/celeba.yml", "configs/celeba"])
def test_a_shipped_config_is_found_from_anywhere(called):
    assert config_file(called) == str(FOLDER / "celeba.yml")


@pytest.mark.parametrize("called", ["mine/celeba.yml", "celeba.txt", "celebrities", "/configs/celeba.yml"])
def test_what_is_called_otherwise_is_a_path(called):
    assert config_file(called) == called


def test_a_file_comes_first_and_a_folder_of_images_does_not(tmp_path):
    (tmp_path / "celeba.yml").write_text("name: mine")
    (tmp_path / "places2").mkdir()
    assert config_file("celeba.yml") == "celeba.yml"
    assert config_file("places2") == str(FOLDER / "places2.yml")


def test_an_installed_package_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(by_name, "_FOLDERS", (tmp_path / "configs", FOLDER))
    assert "celeba" in shipped_configs()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "only.yml").write_text("# The only one.\nname: only\n")
    assert list(shipped_configs()) == ["only"]
    assert "\nonly  The only one.\n" in list_configs()
