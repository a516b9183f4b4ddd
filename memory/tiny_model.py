"""`tiny-random`: a random Llama over bytes, made in a moment and without a network, for tests and smoke runs.

Does not cover: sense. It writes random bytes; its format, its chat and its arithmetic are real.
"""

from pathlib import Path

# ChatML, as the default model has it, with a shorter system line.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tiny_random(draft: Path) -> dict[str, str]:
    """A Llama of two layers, hidden size 64, with one token per byte. The same files every time."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    # Ids 0 to 255 are the bytes themselves, so that any text's ids are its UTF-8.
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    pieces = [*_byte_pieces(), *specials]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in specials])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=specials[1], eos_token=specials[2], pad_token=specials[2]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(draft)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=vocabulary["<|im_start|>"],
        eos_token_id=vocabulary["<|im_end|>"],
        pad_token_id=vocabulary["<|im_end|>"],
        initializer_range=0.2,  # large enough that the next byte really depends on what came before
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.float().save_pretrained(draft)
    return {"kind": "made", "id": "tiny-random"}


def _byte_pieces() -> list[str]:
    """The character that byte-level vocabularies write for each byte 0 .. 255.

    Printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 and what follows.
    """
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]
