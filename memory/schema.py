"""The tables of a run database, as migrations from day one. `docs/store.md` explains them.

Migrations only ever append to `MIGRATIONS`; `user_version` counts how many have been applied. A database
with a higher number was written by a newer taskspace and is refused.

Conventions: ids are text (content hashes or derived from the seed), JSON columns end in `_json`, token
ids are little-endian uint32 blobs, log-probabilities little-endian float32 blobs, long texts stand once
in `texts` and are named by their hash in columns that end in `_text`. Times are UNIX seconds.
"""

V1 = """
CREATE TABLE texts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body TEXT NOT NULL);

CREATE TABLE run (key TEXT PRIMARY KEY, value_json TEXT NOT NULL) WITHOUT ROWID;
-- config, isolation layers, package versions, and `state`: counters and random states of the loop.

CREATE TABLE rounds (
  round INTEGER PRIMARY KEY,
  plan_json TEXT NOT NULL,           -- the starts, drawn once, so that a resumed run plays the same ones
  policy_version INTEGER NOT NULL,   -- version the round is played with
  started REAL NOT NULL,
  finished REAL
);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  domain TEXT NOT NULL, split TEXT NOT NULL, kind TEXT NOT NULL, origin TEXT NOT NULL,
  statement_text INTEGER NOT NULL REFERENCES texts(id),
  topics_json TEXT NOT NULL,
  payload_json TEXT NOT NULL,
  parent_id TEXT REFERENCES tasks(id),
  proposal_id TEXT REFERENCES proposals(id),
  reference_json TEXT,
  truth_agrees INTEGER,
  status TEXT NOT NULL,              -- active, candidate (no reference yet), rejected
  round INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE proposals (
  id TEXT PRIMARY KEY,
  round INTEGER NOT NULL, position INTEGER NOT NULL, topic TEXT NOT NULL,
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record
  response_text INTEGER NOT NULL REFERENCES texts(id),
  policy_version INTEGER NOT NULL,
  task_id TEXT REFERENCES tasks(id),
  reason TEXT, detail TEXT, reward REAL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX proposals_round ON proposals(round, position);

CREATE TABLE groups (
  id TEXT PRIMARY KEY,
  round INTEGER NOT NULL, position INTEGER NOT NULL, purpose TEXT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks(id),
  start_id TEXT NOT NULL, step TEXT NOT NULL, book TEXT NOT NULL,
  parent_attempt_id TEXT REFERENCES attempts(id),
  history_json TEXT NOT NULL,
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record
  prompt_tokens INTEGER NOT NULL,
  policy_version INTEGER NOT NULL, engine TEXT NOT NULL,
  mean_reward REAL, learnability REAL, seconds REAL NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX groups_round ON groups(round, purpose, position);
CREATE INDEX groups_task ON groups(task_id);

CREATE TABLE attempts (
  id TEXT PRIMARY KEY,
  group_id TEXT NOT NULL REFERENCES groups(id), idx INTEGER NOT NULL,
  response_text INTEGER NOT NULL REFERENCES texts(id),
  token_ids BLOB NOT NULL, logprobs BLOB NOT NULL, prefilled INTEGER NOT NULL,
  finish TEXT NOT NULL, seed INTEGER NOT NULL,
  reward REAL, category TEXT NOT NULL, evidence_json TEXT NOT NULL,
  infra_error TEXT, verdict_seconds REAL NOT NULL, flipped INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX attempts_group ON attempts(group_id, idx);

CREATE TABLE decisions (
  id TEXT PRIMARY KEY,
  round INTEGER NOT NULL, kind TEXT NOT NULL, subject_id TEXT NOT NULL,
  action TEXT NOT NULL, reason TEXT NOT NULL, numbers_json TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX decisions_subject ON decisions(subject_id);

CREATE TABLE updates (
  version INTEGER PRIMARY KEY,
  round INTEGER NOT NULL, recipe TEXT NOT NULL, samples INTEGER NOT NULL, tokens INTEGER NOT NULL,
  steps INTEGER NOT NULL, losses_json TEXT NOT NULL, grad_norms_json TEXT NOT NULL,
  learning_rates_json TEXT NOT NULL, seconds REAL NOT NULL, path TEXT NOT NULL, checksum TEXT NOT NULL,
  created REAL NOT NULL
);

CREATE TABLE samples (                -- which attempts trained which update
  version INTEGER NOT NULL REFERENCES updates(version),
  attempt_id TEXT NOT NULL REFERENCES attempts(id),
  prompt_text INTEGER NOT NULL REFERENCES texts(id),
  weight REAL NOT NULL,
  PRIMARY KEY (version, attempt_id)
) WITHOUT ROWID;
CREATE INDEX samples_attempt ON samples(attempt_id);

CREATE TABLE evaluations (
  id TEXT PRIMARY KEY,
  round INTEGER NOT NULL, policy_version INTEGER NOT NULL, book TEXT NOT NULL, split TEXT NOT NULL,
  kind TEXT NOT NULL, tasks INTEGER NOT NULL, attempts INTEGER NOT NULL, accuracy REAL NOT NULL,
  by_topic_json TEXT NOT NULL, categories_json TEXT NOT NULL, infra_errors INTEGER NOT NULL,
  seconds REAL NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE buffer (                 -- starts kept for further iteration
  start_id TEXT PRIMARY KEY,
  start_json TEXT NOT NULL, score REAL NOT NULL, visits INTEGER NOT NULL, round INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE stages (                 -- who spent how long on what, and who waited for whom
  id INTEGER PRIMARY KEY,
  round INTEGER NOT NULL, role TEXT NOT NULL, stage TEXT NOT NULL,
  started REAL NOT NULL, seconds REAL NOT NULL, numbers_json TEXT NOT NULL
);

CREATE TABLE events (                 -- one line each for people watching
  id INTEGER PRIMARY KEY, at REAL NOT NULL, round INTEGER NOT NULL, role TEXT NOT NULL,
  level TEXT NOT NULL, message TEXT NOT NULL
);

CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 0);    -- +1 with every committed batch: readers poll this one number
"""

MIGRATIONS: tuple[str, ...] = (V1,)
