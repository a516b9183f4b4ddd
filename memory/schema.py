"""The tables of a run database, as migrations from day one. `docs/store.md` explains them.

Migrations only ever append to `MIGRATIONS`; `user_version` counts how many have been applied. A database
with a higher number was written by a newer taskspace and is refused.

Conventions: ids are text (content hashes or derived from the seed); `seq` is the order of admission; JSON
columns end in `_json`; token ids are little-endian uint32 blobs, log-probabilities little-endian float32
blobs; long texts stand once in `texts` and are named in columns that end in `_text`. Times are UNIX seconds.

Large tables keep their rowid (`seq`): rows are appended at the end of the file, and only the small index
of the (random) ids is written all over. References within one table, and those that a batch may satisfy
in any order, are checked when the batch commits.
"""

#: `PRAGMA application_id`: tells a run database from any other SQLite file ("tspc").
APPLICATION_ID = 0x74737063

V1 = """
CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 0);    -- +1 with every committed batch: readers poll this one number

CREATE TABLE run (key TEXT PRIMARY KEY, value_json TEXT NOT NULL) WITHOUT ROWID;
-- `config` (resolved settings), `facts` (isolation layers, package versions, created) and `state`
-- (counters and random states of the loop)

CREATE TABLE texts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body TEXT NOT NULL);

CREATE TABLE rounds (
  round INTEGER PRIMARY KEY,
  plan_json TEXT NOT NULL,           -- the starts, drawn once, so that a resumed run plays the same ones
  policy_version INTEGER NOT NULL,   -- version the round is played with
  started REAL NOT NULL,
  finished REAL
);

CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  domain TEXT NOT NULL, split TEXT NOT NULL, kind TEXT NOT NULL, origin TEXT NOT NULL,
  statement_text INTEGER NOT NULL REFERENCES texts(id),
  topics_json TEXT NOT NULL,
  payload_json TEXT NOT NULL,
  parent_id TEXT REFERENCES tasks(id) DEFERRABLE INITIALLY DEFERRED,
  reference_json TEXT,
  truth_agrees INTEGER,
  status TEXT NOT NULL,              -- active, candidate (no reference yet), rejected
  round INTEGER NOT NULL             -- in which it was added
);
CREATE INDEX tasks_parent ON tasks(parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE proposals (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, position INTEGER NOT NULL, topic TEXT NOT NULL,
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record
  response_text INTEGER NOT NULL REFERENCES texts(id),
  policy_version INTEGER NOT NULL,
  task_id TEXT REFERENCES tasks(id) DEFERRABLE INITIALLY DEFERRED,
  reason TEXT,                       -- why it was rejected; NULL while its task stands
  detail TEXT NOT NULL,
  reward REAL,                       -- the proposer's
  created REAL NOT NULL
);
CREATE INDEX proposals_round ON proposals(round, position);
CREATE INDEX proposals_task ON proposals(task_id);

CREATE TABLE groups (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, position INTEGER NOT NULL, purpose TEXT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks(id) DEFERRABLE INITIALLY DEFERRED,
  start_id TEXT NOT NULL, step TEXT NOT NULL, book TEXT NOT NULL,
  parent_attempt_id TEXT REFERENCES attempts(id) DEFERRABLE INITIALLY DEFERRED,
  history_text INTEGER NOT NULL REFERENCES texts(id),  -- JSON of the start's Turn records
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record
  prompt_tokens INTEGER NOT NULL,
  policy_version INTEGER NOT NULL, engine TEXT NOT NULL,
  attempts INTEGER NOT NULL, verified INTEGER NOT NULL, infra_errors INTEGER NOT NULL,
  tokens INTEGER NOT NULL,           -- sampled in all attempts
  mean_reward REAL, learnability REAL,                 -- over judged attempts; NULL when there are none
  seconds REAL NOT NULL, created REAL NOT NULL
);
CREATE INDEX groups_round ON groups(round, purpose, position);
CREATE INDEX groups_task ON groups(task_id);
CREATE INDEX groups_start ON groups(start_id);
CREATE INDEX groups_parent ON groups(parent_attempt_id) WHERE parent_attempt_id IS NOT NULL;

CREATE TABLE attempts (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  group_id TEXT NOT NULL REFERENCES groups(id), idx INTEGER NOT NULL,
  response_text INTEGER NOT NULL REFERENCES texts(id),
  prefilled INTEGER NOT NULL, sampled INTEGER NOT NULL,  -- tokens given, tokens generated
  finish TEXT NOT NULL, seed INTEGER NOT NULL,
  reward REAL,                       -- NULL with an infra_error: there is no reward at all
  category TEXT NOT NULL, infra_error TEXT,
  flipped INTEGER NOT NULL,          -- injected noise turned the reward round
  verdict_seconds REAL NOT NULL, evidence_json TEXT NOT NULL
);
CREATE INDEX attempts_group ON attempts(group_id, idx);

CREATE TABLE tokens (                 -- apart from `attempts`, so that counting does not read them
  attempt_seq INTEGER PRIMARY KEY REFERENCES attempts(seq),
  token_ids BLOB NOT NULL, logprobs BLOB NOT NULL
);

CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, kind TEXT NOT NULL, subject_id TEXT NOT NULL,
  action TEXT NOT NULL, reason TEXT NOT NULL, numbers_json TEXT NOT NULL, created REAL NOT NULL
);
CREATE INDEX decisions_subject ON decisions(subject_id);

CREATE TABLE updates (
  version INTEGER PRIMARY KEY,
  round INTEGER NOT NULL, recipe TEXT NOT NULL, samples INTEGER NOT NULL, tokens INTEGER NOT NULL,
  steps INTEGER NOT NULL, losses_json TEXT NOT NULL, grad_norms_json TEXT NOT NULL,
  learning_rates_json TEXT NOT NULL, seconds REAL NOT NULL, path TEXT NOT NULL, checksum TEXT NOT NULL,
  created REAL NOT NULL
);

CREATE TABLE samples (                -- which attempts trained which update
  version INTEGER NOT NULL REFERENCES updates(version), position INTEGER NOT NULL,
  attempt_id TEXT NOT NULL REFERENCES attempts(id),
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record, as learned
  weight REAL NOT NULL,
  PRIMARY KEY (version, position)
) WITHOUT ROWID;
CREATE INDEX samples_attempt ON samples(attempt_id);

CREATE TABLE evaluations (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, policy_version INTEGER NOT NULL, book TEXT NOT NULL, split TEXT NOT NULL,
  kind TEXT NOT NULL, tasks INTEGER NOT NULL, attempts INTEGER NOT NULL, accuracy REAL NOT NULL,
  by_topic_json TEXT NOT NULL, categories_json TEXT NOT NULL, infra_errors INTEGER NOT NULL,
  seconds REAL NOT NULL, created REAL NOT NULL
);

CREATE TABLE buffer (                 -- starts kept for further iteration, as of the last batch
  start_id TEXT PRIMARY KEY,
  start_json TEXT NOT NULL, score REAL NOT NULL, visits INTEGER NOT NULL, round INTEGER NOT NULL,
  entered INTEGER NOT NULL           -- order of entry: ties in score are replaced oldest first
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

CREATE VIEW episodes AS               -- one row per attempt with its texts, for people and for Datasette
SELECT a.seq, a.id, g.round, g.purpose, g.step, g.book, g.policy_version, a.reward, a.category,
       a.infra_error, a.sampled, t.kind AS task_kind, t.origin, t.topics_json, statement.body AS statement,
       response.body AS response, a.evidence_json, prompt.body AS prompt_json, a.group_id, a.idx,
       g.task_id, g.start_id, g.parent_attempt_id, a.flipped, g.created
FROM attempts a
JOIN groups g ON g.id = a.group_id
JOIN tasks t ON t.id = g.task_id
JOIN texts statement ON statement.id = t.statement_text
JOIN texts response ON response.id = a.response_text
JOIN texts prompt ON prompt.id = g.prompt_text;
"""

V2 = "ALTER TABLE updates ADD COLUMN metrics_json TEXT NOT NULL DEFAULT '{}'"  # of reinforcement learning

# Proposals are learned too, against baselines; a round may play further starts than it planned at first.
V3 = """
ALTER TABLE rounds ADD COLUMN planned INTEGER;        -- starts of the plan that were drawn at first
ALTER TABLE proposals ADD COLUMN token_ids BLOB;      -- these four are NULL in runs from before
ALTER TABLE proposals ADD COLUMN logprobs BLOB;
ALTER TABLE proposals ADD COLUMN prefilled INTEGER;
ALTER TABLE proposals ADD COLUMN finish TEXT;
ALTER TABLE updates ADD COLUMN baselines_json TEXT NOT NULL DEFAULT '{}';
CREATE TABLE proposal_samples (       -- which proposals trained which update
  version INTEGER NOT NULL REFERENCES updates(version), position INTEGER NOT NULL,
  proposal_id TEXT NOT NULL REFERENCES proposals(id),
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record, as learned
  weight REAL NOT NULL,
  PRIMARY KEY (version, position)
) WITHOUT ROWID;
CREATE INDEX proposal_samples_proposal ON proposal_samples(proposal_id);
"""

# Draws from the buffer take logarithmic time: they go by places, and may go by how long a start has waited.
V4 = """
ALTER TABLE buffer ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;   -- place among those that are kept
ALTER TABLE buffer ADD COLUMN last INTEGER NOT NULL DEFAULT 0;   -- number of the draw that took it last
UPDATE buffer SET slot = (SELECT count(*) FROM buffer AS other WHERE other.entered < buffer.entered);
"""

# Attempts of several answers.
V5 = """
ALTER TABLE attempts ADD COLUMN exchanges_json TEXT;             -- NULL: a single answer, the response
"""

# An evaluation in which nothing was judged has no accuracy; before, it had 0.
V6 = """
CREATE TABLE measured (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, policy_version INTEGER NOT NULL, book TEXT NOT NULL, split TEXT NOT NULL,
  kind TEXT NOT NULL, tasks INTEGER NOT NULL, attempts INTEGER NOT NULL,
  accuracy REAL,                     -- NULL: nothing was judged
  by_topic_json TEXT NOT NULL, categories_json TEXT NOT NULL, infra_errors INTEGER NOT NULL,
  seconds REAL NOT NULL, created REAL NOT NULL
);
INSERT INTO measured SELECT seq, id, round, policy_version, book, split, kind, tasks, attempts,
  CASE WHEN attempts > infra_errors THEN accuracy END, by_topic_json, categories_json, infra_errors, seconds,
  created FROM evaluations;
DROP TABLE evaluations;
ALTER TABLE measured RENAME TO evaluations;
"""

MIGRATIONS: tuple[str, ...] = (V1, V2, V3, V4, V5, V6)
