"""What is asked of jobs again and again is asked of indexes on PostgreSQL, too."""

import pytest

from app.db.migrate import upgrade
from app.db.session import Database
from tests.factories.postgres_server import PostgresServer
from tests.factories.query_plans import check_job_indexes


@pytest.mark.long
def test_postgresql_uses_the_indexes_of_jobs(postgres: PostgresServer) -> None:
    url = postgres.make_database()
    upgrade(url)
    database = Database(url)
    with database.write() as session:
        check_job_indexes(session)
    database.close()
