PRAGMA application_id = 1953722467;
PRAGMA user_version = 6;
BEGIN TRANSACTION;
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
, exchanges_json TEXT);
INSERT INTO "attempts" VALUES(1,'052f7d704e2aa90d','3bc3aa53237a6b58',0,5,1,3,'stop',9223372036854775807,0.0,'wrong_answer',NULL,0,0.0,'{"case":3,"got":[1.5]}',NULL);
INSERT INTO "attempts" VALUES(2,'14231257e5e43630','b0def661f207a285',0,11,1,3,'stop',9223372036854775807,0.0,'wrong_answer',NULL,0,0.0,'{"case":3,"got":[1.5]}',NULL);
INSERT INTO "attempts" VALUES(3,'793455876d64f526','b0def661f207a285',1,12,1,3,'stop',9223372036854775806,1.0,'correct',NULL,0,0.0,'{"case":3,"got":[1.5]}',NULL);
INSERT INTO "attempts" VALUES(4,'2586843fae488a16','b0def661f207a285',2,13,1,3,'stop',9223372036854775805,NULL,'infra_error','helper died',0,0.0,'{}',NULL);
INSERT INTO "attempts" VALUES(5,'336e431b4657d213','0ccf0babdc7cb81e',0,15,1,3,'stop',9223372036854775807,1.0,'correct',NULL,0,0.0,'{"case":3,"got":[1.5]}',NULL);
CREATE TABLE buffer (                 -- starts kept for further iteration, as of the last batch
  start_id TEXT PRIMARY KEY,
  start_json TEXT NOT NULL, score REAL NOT NULL, visits INTEGER NOT NULL, round INTEGER NOT NULL,
  entered INTEGER NOT NULL           -- order of entry: ties in score are replaced oldest first
, slot INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO "buffer" VALUES('start0','{"id":"start0","task_id":"c14ec84f3e9fa6f9","step":"initial","book":"open","history":[]}',0.25,0,1,3,1,0);
INSERT INTO "buffer" VALUES('start1','{"id":"start1","task_id":"c14ec84f3e9fa6f9","step":"improve","book":"open","history":[{"attempt_id":"14231257e5e43630","response":"answer b0def661f207a285 0","reward":0.0,"feedback":""}]}',0.2,1,1,2,0,1);
CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
INSERT INTO "counter" VALUES(1,13);
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, kind TEXT NOT NULL, subject_id TEXT NOT NULL,
  action TEXT NOT NULL, reason TEXT NOT NULL, numbers_json TEXT NOT NULL, created REAL NOT NULL
);
INSERT INTO "decisions" VALUES(1,'a5266afb9a09f358',1,'proposal','a0a667228922677b','admit','verified','{"solve_rate":0.5}',1764000013.5);
INSERT INTO "decisions" VALUES(2,'435c0fae28e51680',1,'group','b0def661f207a285','admit','verified','{"solve_rate":0.5}',1764000016.5);
CREATE TABLE "evaluations" (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  round INTEGER NOT NULL, policy_version INTEGER NOT NULL, book TEXT NOT NULL, split TEXT NOT NULL,
  kind TEXT NOT NULL, tasks INTEGER NOT NULL, attempts INTEGER NOT NULL,
  accuracy REAL,                     -- NULL: nothing was judged
  by_topic_json TEXT NOT NULL, categories_json TEXT NOT NULL, infra_errors INTEGER NOT NULL,
  seconds REAL NOT NULL, created REAL NOT NULL
);
INSERT INTO "evaluations" VALUES(1,'7aedbbf7dac90daf',0,0,'closed','test','single',1,1,0.0,'{"topic0":0.5}','{"wrong_answer":1}',0,0.0,1764000007.5);
INSERT INTO "evaluations" VALUES(2,'3526cca1e559f966',1,1,'closed','test','single',1,1,1.0,'{"topic0":0.5}','{"correct":1}',0,0.0,1764000025.5);
CREATE TABLE events (                 -- one line each for people watching
  id INTEGER PRIMARY KEY, at REAL NOT NULL, round INTEGER NOT NULL, role TEXT NOT NULL,
  level TEXT NOT NULL, message TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,1764000019.5,1,'arena','info','round 1 finished');
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
INSERT INTO "groups" VALUES(1,'3bc3aa53237a6b58',0,0,'evaluate','0bb44c4d01f3ea04','a2f54b4fe1229436','initial','closed',NULL,3,4,21,0,'scripted',1,0,0,3,0.0,0.0,0.25,1764000004.5);
INSERT INTO "groups" VALUES(2,'b0def661f207a285',1,0,'collect','c14ec84f3e9fa6f9','85b2e508db34ce65','initial','open',NULL,3,10,21,0,'scripted',3,1,1,9,0.5,0.25,0.25,1764000015.0);
INSERT INTO "groups" VALUES(3,'0ccf0babdc7cb81e',1,0,'evaluate','0bb44c4d01f3ea04','a2f54b4fe1229436','initial','closed',NULL,3,4,21,1,'scripted',1,1,0,3,1.0,0.0,0.25,1764000022.5);
CREATE TABLE proposal_samples (       -- which proposals trained which update
  version INTEGER NOT NULL REFERENCES updates(version), position INTEGER NOT NULL,
  proposal_id TEXT NOT NULL REFERENCES proposals(id),
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record, as learned
  weight REAL NOT NULL,
  PRIMARY KEY (version, position)
) WITHOUT ROWID;
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
, token_ids BLOB, logprobs BLOB, prefilled INTEGER, finish TEXT);
INSERT INTO "proposals" VALUES(1,'a0a667228922677b',1,0,'topic0',7,8,0,'2e9304abd1b326f2',NULL,'',NULL,1764000012.0,X'',X'',0,'stop');
INSERT INTO "proposals" VALUES(2,'393be801d517f50c',1,1,'topic1',7,9,0,NULL,'no_task','',NULL,1764000012.0,X'',X'',0,'stop');
CREATE TABLE rounds (
  round INTEGER PRIMARY KEY,
  plan_json TEXT NOT NULL,           -- the starts, drawn once, so that a resumed run plays the same ones
  policy_version INTEGER NOT NULL,   -- version the round is played with
  started REAL NOT NULL,
  finished REAL
, planned INTEGER);
INSERT INTO "rounds" VALUES(1,'[{"id":"85b2e508db34ce65","task_id":"c14ec84f3e9fa6f9","step":"initial","book":"open","history":[]}]',0,1764000010.5,1764000021.0,1);
CREATE TABLE run (key TEXT PRIMARY KEY, value_json TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "run" VALUES('config','{"preset":"smoke","seed":3,"rounds":1,"domain":"zwc","model":{"name":"tiny-random"}}');
INSERT INTO "run" VALUES('created','1764000003.0');
INSERT INTO "run" VALUES('facts','{"sandbox":[]}');
INSERT INTO "run" VALUES('state','{"round":1}');
CREATE TABLE samples (                -- which attempts trained which update
  version INTEGER NOT NULL REFERENCES updates(version), position INTEGER NOT NULL,
  attempt_id TEXT NOT NULL REFERENCES attempts(id),
  prompt_text INTEGER NOT NULL REFERENCES texts(id),   -- JSON of the Prompt record, as learned
  weight REAL NOT NULL,
  PRIMARY KEY (version, position)
) WITHOUT ROWID;
INSERT INTO "samples" VALUES(1,0,'793455876d64f526',14,1.0);
CREATE TABLE stages (                 -- who spent how long on what, and who waited for whom
  id INTEGER PRIMARY KEY,
  round INTEGER NOT NULL, role TEXT NOT NULL, stage TEXT NOT NULL,
  started REAL NOT NULL, seconds REAL NOT NULL, numbers_json TEXT NOT NULL
);
INSERT INTO "stages" VALUES(1,1,'solver','play',1764000000.0,2.5,'{"attempts":3}');
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
INSERT INTO "tasks" VALUES(1,'c14ec84f3e9fa6f9','zwc','train','single','seed',1,'["topic0"]','{"cases":[[0,1.5]]}',NULL,NULL,NULL,'active',0);
INSERT INTO "tasks" VALUES(2,'0bb44c4d01f3ea04','zwc','test','single','seed',2,'["topic1"]','{"cases":[[1,1.5]]}',NULL,NULL,NULL,'active',0);
INSERT INTO "tasks" VALUES(3,'2e9304abd1b326f2','zwc','train','single','proposed',6,'["topic2"]','{"cases":[[2,1.5]]}','c14ec84f3e9fa6f9',NULL,NULL,'active',1);
CREATE TABLE texts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body TEXT NOT NULL);
INSERT INTO "texts" VALUES(1,X'90BD574D639F5CFAE6B9208C0E8BE741','Find the mean of list 0.');
INSERT INTO "texts" VALUES(2,X'36C1AE8A369B37BFFD2564F7A7979976','Find the mean of list 1.');
INSERT INTO "texts" VALUES(3,X'7EBB3C7C2A87B1A2F8A7ED729ECB040D','[]');
INSERT INTO "texts" VALUES(4,X'50A308392A4A28BCE42FFDDD71CA75E9','{"messages":[{"role":"user","content":"documentation and Find the mean of list 1."}],"prefill":"```python\n"}');
INSERT INTO "texts" VALUES(5,X'9B44C1D8877824D37B8777E5C6517798','answer 3bc3aa53237a6b58 0');
INSERT INTO "texts" VALUES(6,X'0B31DBDB6801291257802FBDB8704E16','Find the mean of list 2.');
INSERT INTO "texts" VALUES(7,X'76C749FCAB25E36892313BA236773032','{"messages":[{"role":"user","content":"write a task"}],"prefill":"```python\n"}');
INSERT INTO "texts" VALUES(8,X'20A05457779D8B583A79B215E1E7CA35','proposal 0');
INSERT INTO "texts" VALUES(9,X'86F34BAC31F4E4A09E5D6D0D004397D3','proposal 1');
INSERT INTO "texts" VALUES(10,X'4F465AD0BA629AAC4FC0E3458F5908E7','{"messages":[{"role":"user","content":"documentation and Find the mean of list 0."}],"prefill":"```python\n"}');
INSERT INTO "texts" VALUES(11,X'1E26B6E757D1BBBABB6B53F59B6A35D6','answer b0def661f207a285 0');
INSERT INTO "texts" VALUES(12,X'7B36D2C4ACABCD67AF35BE2F3C26DCE5','answer b0def661f207a285 1');
INSERT INTO "texts" VALUES(13,X'6BF23829FE627C776B51F3EB3F70D462','answer b0def661f207a285 2');
INSERT INTO "texts" VALUES(14,X'D007325B8F6D2149ADE3C097BA04A7BB','{"messages":[{"role":"user","content":"closed book"}],"prefill":"```python\n"}');
INSERT INTO "texts" VALUES(15,X'B49F19A2E3B462EA728C7388A82ECF28','answer 0ccf0babdc7cb81e 0');
CREATE TABLE tokens (                 -- apart from `attempts`, so that counting does not read them
  attempt_seq INTEGER PRIMARY KEY REFERENCES attempts(seq),
  token_ids BLOB NOT NULL, logprobs BLOB NOT NULL
);
INSERT INTO "tokens" VALUES(1,X'01000000FFBF0000FFFFFFFF00000000',X'000000BF0000A0BF000080FF');
INSERT INTO "tokens" VALUES(2,X'01000000FFBF0000FFFFFFFF00000000',X'000000BF0000A0BF000080FF');
INSERT INTO "tokens" VALUES(3,X'01000000FFBF0000FFFFFFFF01000000',X'000000BF0000A0BF000080FF');
INSERT INTO "tokens" VALUES(4,X'01000000FFBF0000FFFFFFFF02000000',X'000000BF0000A0BF000080FF');
INSERT INTO "tokens" VALUES(5,X'01000000FFBF0000FFFFFFFF00000000',X'000000BF0000A0BF000080FF');
CREATE TABLE updates (
  version INTEGER PRIMARY KEY,
  round INTEGER NOT NULL, recipe TEXT NOT NULL, samples INTEGER NOT NULL, tokens INTEGER NOT NULL,
  steps INTEGER NOT NULL, losses_json TEXT NOT NULL, grad_norms_json TEXT NOT NULL,
  learning_rates_json TEXT NOT NULL, seconds REAL NOT NULL, path TEXT NOT NULL, checksum TEXT NOT NULL,
  created REAL NOT NULL
, metrics_json TEXT NOT NULL DEFAULT '{}', baselines_json TEXT NOT NULL DEFAULT '{}');
INSERT INTO "updates" VALUES(1,1,'closed-sft',1,3,2,'[2.5,1.25]','[1.0,{"$float":"nan"}]','[0.0001,0.0001]',3.5,'checkpoints/v0001','sum1',1764000018.0,'{}','{}');
CREATE INDEX tasks_parent ON tasks(parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX proposals_round ON proposals(round, position);
CREATE INDEX proposals_task ON proposals(task_id);
CREATE INDEX groups_round ON groups(round, purpose, position);
CREATE INDEX groups_task ON groups(task_id);
CREATE INDEX groups_start ON groups(start_id);
CREATE INDEX groups_parent ON groups(parent_attempt_id) WHERE parent_attempt_id IS NOT NULL;
CREATE INDEX attempts_group ON attempts(group_id, idx);
CREATE INDEX decisions_subject ON decisions(subject_id);
CREATE INDEX samples_attempt ON samples(attempt_id);
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
CREATE INDEX proposal_samples_proposal ON proposal_samples(proposal_id);
COMMIT;
