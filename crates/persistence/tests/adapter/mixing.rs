//! A pooler that mixes up prepared statements is found, and one that does not is not.

use errand_persistence::DatabaseUrl;
use errand_persistence::Mixed;
use errand_persistence::doctor::{Report, examine};
use errand_testbed::{Pooler, PoolerOptions, Postgres};

use crate::support::{Stopped, open, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_mixes_up_prepared_statements() {
    let database = Postgres::shared().create_database().await;
    let mut settings = settings(&database, &database.url);
    open(&settings).await.migrate().await.unwrap();
    settings.direct_url = Some(settings.url.clone());
    for server_connections in [1, 2, 3] {
        for max_prepared_statements in [0, 1000] {
            let options = PoolerOptions {
                server_connections,
                max_prepared_statements,
                ..PoolerOptions::default()
            };
            let pooler = Pooler::start(Postgres::shared(), options);
            settings.url = DatabaseUrl::parse(&database.url_at(pooler.addr().port())).unwrap();
            for _ in 0..2 {
                let report = match examine(&settings, &Stopped).await.unwrap() {
                    Report::Postgres(report) => *report,
                    Report::Sqlite(report) => panic!("{report:?}"),
                };
                let found = report.direct.found.unwrap().unwrap();
                assert_eq!(found.same_database, Some(true));
                let inside = report.inside;
                assert!(inside.round_trip.unwrap().is_ok() && inside.schema.unwrap().is_ok());
                let prepared = inside.prepared.unwrap().unwrap();
                if max_prepared_statements == 0 {
                    assert_eq!(prepared, Err(Mixed), "{server_connections}");
                    assert!(inside.tables.is_none() && inside.role.is_none());
                } else {
                    assert_eq!(prepared, Ok(()), "{server_connections}");
                    assert!(inside.tables.unwrap().unwrap().there);
                }
            }
        }
    }
}
