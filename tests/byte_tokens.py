"""Gives a demo run real tokens, one for each byte of its answers, with a tokenizer in its checkpoint."""

import random
import sqlite3
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from memory.codec import pack_ids, pack_logprobs
from memory.tiny_model import _byte_pieces


def write_tokenizer(file: Path) -> Path:
    """A tokenizer whose ids 0 .. 255 are the bytes of UTF-8."""
    made = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(_byte_pieces())}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    file.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(file))
    return file


def with_byte_tokens(run: Path, longest: int = 4_000) -> Path:
    """Answers longer than `longest` bytes keep the tokens that they have."""
    dice = random.Random(7)
    write_tokenizer(run / "checkpoints" / "v0001" / "tokenizer.json")
    with sqlite3.connect(run / "run.db") as db:
        rows = db.execute(
            "SELECT a.seq, a.prefilled, r.body FROM attempts a JOIN texts r ON r.id = a.response_text"
        ).fetchall()
        for seq, prefilled, body in rows:
            ids = body.encode()
            if len(ids) <= longest:
                logprobs = [-dice.expovariate(1.5) for _ in ids[prefilled:]]
                db.execute(
                    "UPDATE tokens SET token_ids = ?, logprobs = ? WHERE attempt_seq = ?",
                    [pack_ids(tuple(ids)), pack_logprobs(tuple(logprobs)), seq],
                )
        db.execute("UPDATE counter SET version = version + 1")
    db.close()
    return run
