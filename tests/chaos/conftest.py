from tests.kafka.conftest import apache, apache_process, reader

__all__ = ["apache", "apache_process", "reader"]
