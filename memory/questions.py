"""The questions a reviewer asks of a number, each answered by one SQL statement.

They stand in `docs/store.md` word for word, to be asked in the sqlite3 shell or in Datasette as well.
"""

#: Which episodes trained update `:version`?
TRAINED = """
SELECT s.position, s.weight, e.id, e.round, e.step, e.book, e.policy_version, e.reward, e.category,
       e.task_id, e.group_id, e.topics_json, e.statement, e.response
FROM samples s
JOIN episodes e ON e.id = s.attempt_id
WHERE s.version = :version
ORDER BY s.position
"""

#: Which decisions of the curator led to `:attempt`, and what was decided about it afterwards?
DECISIONS = """
SELECT d.seq, d.id, d.round, d.kind, d.subject_id, d.action, d.reason, d.numbers_json, d.created
FROM attempts a
JOIN groups g ON g.id = a.group_id
LEFT JOIN proposals p ON p.task_id = g.task_id
JOIN decisions d ON d.subject_id IN (p.id, g.task_id, g.id, a.id)
WHERE a.id = :attempt
GROUP BY d.seq
ORDER BY d.seq
"""

#: What did the verifier see of `:attempt`, and what did it say?
VERDICT = """
SELECT response.body AS response, t.payload_json, t.reference_json, a.reward, a.category,
       a.evidence_json, a.infra_error, a.flipped
FROM attempts a
JOIN groups g ON g.id = a.group_id
JOIN tasks t ON t.id = g.task_id
JOIN texts response ON response.id = a.response_text
WHERE a.id = :attempt
"""

#: Which weights generated `:attempt`? (Without a path: the model as it came, or the `source`'s update of that
#: version, where the attempt was taken from another run.)
WEIGHTS = """
SELECT g.policy_version AS version, c.source, u.round, u.recipe, u.samples, u.path, u.checksum
FROM attempts a
JOIN groups g ON g.id = a.group_id
LEFT JOIN (SELECT json_extract(value_json, '$.curator.source') AS source FROM run WHERE key = 'config') c
  ON g.purpose = 'collect'
LEFT JOIN updates u ON u.version = g.policy_version AND c.source IS NULL
WHERE a.id = :attempt
"""

#: Where in the task space does `:attempt` hang? (Its history, oldest first, with itself at the end.)
LINEAGE = """
WITH RECURSIVE way(id, steps_back) AS (
  SELECT :attempt, 0
  UNION ALL
  SELECT g.parent_attempt_id, way.steps_back + 1
  FROM way
  JOIN attempts a ON a.id = way.id
  JOIN groups g ON g.id = a.group_id
  WHERE g.parent_attempt_id IS NOT NULL
)
SELECT way.steps_back, a.id, g.step, a.idx, a.reward, g.round, g.policy_version,
       g.task_id, t.origin, t.parent_id AS task_parent_id
FROM way
JOIN attempts a ON a.id = way.id
JOIN groups g ON g.id = a.group_id
JOIN tasks t ON t.id = g.task_id
ORDER BY way.steps_back DESC
"""
