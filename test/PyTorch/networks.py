# ===- networks.py - PyTorch modules that the tests export --------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Feed-forward nets, blocks and small transformers, written as users of PyTorch write them."""
import math

import torch
from torch import nn
from torch.nn import functional as F

WIDTH, HIDDEN, TOKENS, HEADS, LAYERS, CLASSES, VOCABULARY = 16, 32, 6, 2, 2, 8, 24

ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
}


class Mlp(nn.Module):
    """Three linear layers."""

    def __init__(self, activation):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, CLASSES)
        self.act1, self.act2 = ACTIVATIONS[activation](), ACTIVATIONS[activation]()

    def forward(self, x):
        return self.fc3(self.act2(self.fc2(self.act1(self.fc1(x)))))


class FeedForward(nn.Module):
    """Up, activation, down."""

    def __init__(self, width=WIDTH, hidden=HIDDEN, activation="gelu"):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(width, hidden), ACTIVATIONS[activation](), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class MixerBlock(nn.Module):
    """MLP-Mixer: one feed-forward net across tokens, one across channels."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.tokens, self.channels = FeedForward(TOKENS, HIDDEN), FeedForward()

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class NewGelu(nn.Module):
    """GPT-2's spelling of GELU."""

    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class Conv1D(nn.Module):
    """GPT-2's linear layer: its weight is [in, out], and it flattens its input."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(n_in, n_out)), nn.Parameter(torch.zeros(n_out))
        nn.init.normal_(self.weight, std=0.2)

    def forward(self, x):
        out = x.size()[:-1] + (self.weight.shape[1],)
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(out)


class Gpt2Mlp(nn.Module):

    def __init__(self):
        super().__init__()
        self.c_fc, self.act, self.c_proj = Conv1D(WIDTH, HIDDEN), NewGelu(), Conv1D(HIDDEN, WIDTH)
        self.dropout = nn.Dropout(0.0)

    def forward(self, x):
        return self.dropout(self.c_proj(self.act(self.c_fc(x))))


class Gpt2Ffn(nn.Module):
    """The feed-forward half of a GPT-2 block."""

    def __init__(self):
        super().__init__()
        self.ln_2, self.mlp = nn.LayerNorm(WIDTH), Gpt2Mlp()

    def forward(self, x):
        return x + self.mlp(self.ln_2(x))


class BertFfn(nn.Module):
    """The feed-forward half of a BERT layer: normalised after the residual."""

    def __init__(self):
        super().__init__()
        self.intermediate, self.output = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)
        self.act, self.LayerNorm = nn.GELU(), nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x):
        return self.LayerNorm(self.output(self.act(self.intermediate(x))) + x)


class RmsNorm(nn.Module):
    """Llama's own, as it was before nn.RMSNorm."""

    def __init__(self, width=WIDTH, eps=1e-6):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        kind = x.dtype
        x = x.to(torch.float32)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * x.to(kind)


class LlamaMlp(nn.Module):

    def __init__(self):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(WIDTH, HIDDEN, bias=False), nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down_proj = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class PackedSwiGlu(nn.Module):
    """Gate and up projection in one layer."""

    def __init__(self):
        super().__init__()
        self.w12, self.w3 = nn.Linear(WIDTH, 2 * HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x):
        gate, up = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * up)


class LlamaFfn(nn.Module):

    def __init__(self, norm=RmsNorm, mlp=LlamaMlp):
        super().__init__()
        self.norm, self.mlp = norm(), mlp()

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Gpt2Attention(nn.Module):

    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(WIDTH, 3 * WIDTH), Conv1D(WIDTH, WIDTH)
        self.register_buffer("mask", torch.tril(torch.ones(TOKENS, TOKENS)).view(1, 1, TOKENS, TOKENS) > 0,
                             persistent=False)

    def forward(self, x):
        batch, tokens, width = x.shape
        split = lambda t: t.view(batch, tokens, HEADS, width // HEADS).transpose(1, 2)
        query, key, value = (split(t) for t in self.c_attn(x).split(WIDTH, dim=2))
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // HEADS)
        scores = torch.where(self.mask, scores, torch.tensor(-1e4, dtype=scores.dtype))
        context = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.c_proj(context)


class Gpt2Block(nn.Module):

    def __init__(self):
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = nn.LayerNorm(WIDTH), Gpt2Attention(), nn.LayerNorm(WIDTH), Gpt2Mlp()

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nn.Module):
    """Token and position embeddings, two blocks, and a head tied to the token embeddings."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(TOKENS, WIDTH)
        self.h, self.ln_f = nn.ModuleList(Gpt2Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(TOKENS))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class BertAttention(nn.Module):

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.dense, self.LayerNorm = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x):
        split = lambda t: t.view(*t.shape[:-1], HEADS, WIDTH // HEADS).permute(0, 2, 1, 3)
        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(WIDTH // HEADS)
        context = torch.matmul(nn.functional.softmax(scores, dim=-1), value).permute(0, 2, 1, 3).contiguous()
        return self.LayerNorm(self.dense(context.view(*x.shape)) + x)


class BertLayer(nn.Module):

    def __init__(self):
        super().__init__()
        self.attention, self.ffn = BertAttention(), BertFfn()

    def forward(self, x):
        return self.ffn(self.attention(x))


class Bert(nn.Module):
    """Embeddings, two layers, and a classifier on the first token."""

    def __init__(self):
        super().__init__()
        self.word_embeddings, self.position_embeddings = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(TOKENS, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layer = nn.ModuleList(BertLayer() for _ in range(LAYERS))
        self.pooler, self.classifier = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens):
        x = self.LayerNorm(self.word_embeddings(tokens) + self.position_embeddings(torch.arange(TOKENS)))
        for layer in self.layer:
            x = layer(x)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


def rotate_half(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


class LlamaAttention(nn.Module):

    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        size = WIDTH // HEADS
        angles = torch.outer(torch.arange(TOKENS).float(), 10000.0**(-torch.arange(0, size, 2).float() / size))
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x):
        batch, tokens, width = x.shape
        split = lambda t: t.view(batch, tokens, HEADS, width // HEADS).transpose(1, 2)
        turn = lambda t: t * self.cos + rotate_half(t) * self.sin
        query, key, value = turn(split(self.q_proj(x))), turn(split(self.k_proj(x))), split(self.v_proj(x))
        context = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.o_proj(context.transpose(1, 2).reshape(batch, tokens, width))


class LlamaBlock(nn.Module):

    def __init__(self):
        super().__init__()
        self.input_layernorm, self.self_attn = RmsNorm(), LlamaAttention()
        self.post_attention_layernorm, self.mlp = RmsNorm(), LlamaMlp()

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):

    def __init__(self):
        super().__init__()
        self.embed_tokens, self.norm = nn.Embedding(VOCABULARY, WIDTH), RmsNorm()
        self.layers = nn.ModuleList(LlamaBlock() for _ in range(LAYERS))
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))


def rows(batch):
    return torch.randn(batch, WIDTH)


def sequences(batch):
    return torch.randn(batch, TOKENS, WIDTH)


def tokens(batch):
    return torch.randint(0, VOCABULARY, (batch, TOKENS))


# name -> (module, example input); `FEED_FORWARD` ones are trained, too.
FEED_FORWARD = {
    **{f"mlp_{name}": (lambda name=name: Mlp(name), rows) for name in ACTIVATIONS},
    "mlp_3d": (lambda: Mlp("gelu"), sequences),
    "mixer": (MixerBlock, sequences),
    "gpt2_ffn": (Gpt2Ffn, sequences),
    "bert_ffn": (BertFfn, sequences),
    "llama_ffn": (LlamaFfn, sequences),
    "llama_ffn_rms": (lambda: LlamaFfn(norm=lambda: nn.RMSNorm(WIDTH, eps=1e-6)), sequences),
    "llama_ffn_packed": (lambda: LlamaFfn(mlp=PackedSwiGlu), sequences),
}
TRANSFORMERS = {"gpt2": (Gpt2, tokens), "bert": (Bert, tokens), "llama": (Llama, tokens)}
