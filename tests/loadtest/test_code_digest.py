from loadtest.code_digest import code_digest


def test_a_digest_is_of_the_code_that_it_names() -> None:
    assert code_digest("streamguard.core.pdq") == code_digest("streamguard.core.pdq")
    assert code_digest("streamguard.core.pdq") != code_digest("streamguard.core.regions")


def test_what_a_module_imports_counts() -> None:
    assert code_digest("streamguard.core.look") == code_digest(
        "streamguard.core.look", "streamguard.core.pdq"
    )


def test_roles_and_errors_do_not_count() -> None:
    assert code_digest("streamguard.core.ports") == code_digest()
