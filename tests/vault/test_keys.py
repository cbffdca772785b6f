import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import ConfigError, EvidenceDamaged
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.sealing import new_key
from tests.vault.made_vaults import evidence_id

ONE, OTHER = evidence_id(1), evidence_id(2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    made = KeyFiles.beside(tmp_path_factory.mktemp("keys") / "evidence")
    Keys(made).make_missing()
    return made


def test_keys_are_made_once_beside_the_evidence_for_their_owner_alone(tmp_path: Path) -> None:
    files = KeyFiles.beside(tmp_path / "evidence")
    keys = Keys(files)
    assert not keys.are_there

    keys.make_missing()
    made = files.master.read_bytes(), files.signing.read_bytes()
    Keys(files).make_missing()

    assert keys.are_there
    assert (files.master.read_bytes(), files.signing.read_bytes()) == made
    assert files.master.parent == tmp_path / "evidence.keys"
    for path in (files.master, files.signing):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_data_key_comes_back_and_for_its_evidence_alone(files: KeyFiles) -> None:
    keys, data_key = Keys(files), new_key()
    wrapped = keys.wrap(ONE, data_key)

    assert Keys(files).unwrap(ONE, wrapped) == data_key
    assert data_key not in wrapped
    with pytest.raises(EvidenceDamaged, match="another evidence"):
        keys.unwrap(OTHER, wrapped)


@given(st.data())
def test_a_flipped_bit_of_a_wrapped_key_is_found(files: KeyFiles, data: st.DataObject) -> None:
    keys = Keys(files)
    wrapped = bytearray(keys.wrap(ONE, new_key()))
    bit = data.draw(st.integers(0, 8 * len(wrapped) - 1))
    wrapped[bit // 8] ^= 1 << bit % 8

    with pytest.raises(EvidenceDamaged):
        keys.unwrap(ONE, bytes(wrapped))


def test_keys_of_former_times_open_and_check_but_the_first_is_in_use(
    files: KeyFiles, tmp_path: Path
) -> None:
    old = Keys(files)
    wrapped, signature = old.wrap(ONE, data_key := new_key()), old.sign(b"said")
    new = KeyFiles.beside(tmp_path / "evidence")
    Keys(new).make_missing()
    new.master.write_bytes(new.master.read_bytes() + files.master.read_bytes())
    new.signing.write_bytes(new.signing.read_bytes() + old.public_pem(old.signing_id))

    keys = Keys(new)

    assert keys.unwrap(ONE, wrapped) == data_key
    assert keys.is_signed(old.signing_id, signature, b"said")
    assert keys.signing_id != old.signing_id
    with pytest.raises(EvidenceDamaged, match="another master key"):
        old.unwrap(ONE, keys.wrap(ONE, data_key))


def test_only_our_signature_of_just_this_is_one(files: KeyFiles, tmp_path: Path) -> None:
    keys = Keys(files)
    signature = keys.sign(b"said")
    stranger = Keys(KeyFiles.beside(tmp_path / "evidence"))
    stranger.make_missing()

    assert keys.is_signed(keys.signing_id, signature, b"said")
    assert not keys.is_signed(keys.signing_id, signature, b"unsaid")
    assert not keys.is_signed(keys.signing_id, signature.upper(), b"said")
    assert not keys.is_signed(keys.signing_id, "no hex", b"said")
    assert not keys.is_signed(keys.signing_id, stranger.sign(b"said"), b"said")
    assert not stranger.is_signed(keys.signing_id, signature, b"said")


def test_openssl_makes_keys_that_can_be_used(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path / "master.key", tmp_path / "signing.pem")
    drawn = subprocess.run(["openssl", "rand", "-hex", "32"], capture_output=True, check=True)
    files.master.write_bytes(drawn.stdout)
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", files.signing], check=True
    )

    keys = Keys(files)

    assert keys.unwrap(ONE, keys.wrap(ONE, b"k" * 32)) == b"k" * 32


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("master", b""),
        ("master", b"ab" * 31),
        ("master", b"AB" * 32),
        ("signing", b""),
        ("signing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        ("signing", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
    ],
)
def test_a_file_without_a_key_is_refused_by_its_name(
    files: KeyFiles, tmp_path: Path, name: str, content: bytes
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(content)
    given = {"master": files.master, "signing": files.signing, name: wrong}

    with pytest.raises(ConfigError, match="wrong: no"):
        Keys(KeyFiles(**given))
