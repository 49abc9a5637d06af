#!/usr/bin/env python3
"""The steps of bench/step.c in PyTorch, on the CPU: the same networks, the same fields.

    bench/pytorch_step.py --config mnist-small --mode train --steps 10

Never needed to build or to test; it wants PyTorch.  --alloc keep starts the script once
more with a malloc that keeps freed memory and asks for huge pages, which helps a lot where
page faults are dear; --format and --compile choose what else PyTorch offers.
"""
import argparse
import json
import math
import os
import resource
import statistics
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--config", default="mnist-small",
                    choices=["mnist-small", "mnist-base", "cifar-ddpm"])
parser.add_argument("--mode", default="train", choices=["train", "infer"])
parser.add_argument("--batch", type=int, default=0)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--format", default="contiguous", choices=["contiguous", "channels_last"])
parser.add_argument("--alloc", default="default", choices=["default", "keep"])
parser.add_argument("--compile", action="store_true")
parser.add_argument("--bf16", action="store_true")
args = parser.parse_args()

if args.alloc == "keep" and "GLIBC_TUNABLES" not in os.environ:
    os.environ["GLIBC_TUNABLES"] = ":".join(
        "glibc.malloc." + s for s in ("hugetlb=1", "mmap_max=0", "trim_threshold=68719476736",
                                      "top_pad=268435456", "arena_max=1"))
    os.execv(sys.executable, [sys.executable] + sys.argv)
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402

#            batch, image channels, base, mult, attention at, parameters
NETS = {"mnist-small": (64, 1, 32, (1, 2, 2), (8,), 1623169),
        "mnist-base": (64, 1, 64, (1, 2, 2, 2), (16,), 8949761),
        "cifar-ddpm": (16, 3, 128, (1, 2, 2, 2), (16,), 35746307)}


def norm(c):
    return nn.GroupNorm(32, c)


class Block(nn.Module):
    def __init__(self, cin, cout, embed):
        super().__init__()
        self.norm1, self.conv1 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.embed = nn.Linear(embed, cout)
        self.norm2, self.conv2 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, e):
        h = self.conv1(F.silu(self.norm1(x))) + self.embed(e)[:, :, None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = norm(c)
        self.q, self.k, self.v, self.out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        n, c, h, w = x.shape
        y = self.norm(x)
        q, k, v = (f(y).flatten(2).transpose(1, 2)[:, None] for f in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v)[:, 0]
        return x + self.out(y.transpose(1, 2).reshape(n, c, h, w))


class UNet(nn.Module):
    def __init__(self, channels, base, mult, attention, blocks=2, size=32):
        super().__init__()
        embed = 4 * base
        self.base = base
        self.time = nn.Sequential(nn.Linear(base, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.conv_in = nn.Conv2d(channels, base, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        c, skips = base, [base]

        def block(cin, cout):
            return nn.ModuleList([Block(cin, cout, embed)] +
                                 ([Attention(cout)] if size in attention else []))

        for level, m in enumerate(mult):
            for _ in range(blocks):
                self.down.append(block(c, base * m))
                c = base * m
                skips.append(c)
            if level < len(mult) - 1:
                self.down.append(nn.Conv2d(c, c, 3, stride=2, padding=1))
                skips.append(c)
                size //= 2
        self.middle = nn.ModuleList([Block(c, c, embed), Attention(c), Block(c, c, embed)])
        for level, m in reversed(list(enumerate(mult))):
            for _ in range(blocks + 1):
                self.up.append(block(c + skips.pop(), base * m))
                c = base * m
            if level:
                self.up.append(nn.Conv2d(c, c, 3, padding=1))
                size *= 2
        self.norm_out, self.conv_out = norm(c), nn.Conv2d(c, channels, 3, padding=1)

    @staticmethod
    def run(part, x, e):
        x = part[0](x, e)
        return part[1](x) if len(part) > 1 else x

    def forward(self, x, t):
        half = self.base // 2
        f = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        a = t.float()[:, None] * f[None]
        e = F.silu(self.time(torch.cat([a.sin(), a.cos()], 1)))
        x = self.conv_in(x)
        skips = [x]
        for part in self.down:
            x = part(x) if isinstance(part, nn.Conv2d) else self.run(part, x, e)
            skips.append(x)
        x = self.middle[2](self.middle[1](self.middle[0](x, e)), e)
        for part in self.up:
            if isinstance(part, nn.Conv2d):
                x = part(F.interpolate(x, scale_factor=2, mode="nearest"))
            else:
                x = self.run(part, torch.cat([x, skips.pop()], 1), e)
        return self.conv_out(F.silu(self.norm_out(x)))


def process_age():
    fields = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


torch.set_num_threads(args.threads)
torch.manual_seed(0)
batch, channels, base, mult, attention, parameters = NETS[args.config]
batch = args.batch or batch
layout = torch.channels_last if args.format == "channels_last" else torch.contiguous_format
net = UNet(channels, base, mult, attention).to(memory_format=layout)
assert sum(p.numel() for p in net.parameters()) == parameters
call = torch.compile(net) if args.compile else net
adam = torch.optim.Adam(net.parameters(), lr=2e-4)
beta = torch.linspace(1e-4, 0.02, 1000)
bar = torch.cumprod(1 - beta, 0)
x0 = (torch.rand(batch, channels, 32, 32) * 2 - 1).contiguous(memory_format=layout)


def predict(x, t):
    if not args.bf16:
        return call(x, t)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return call(x, t).float()


def train():
    t = torch.randint(0, 1000, (batch,))
    eps, a = torch.randn_like(x0), bar[t][:, None, None, None]
    adam.zero_grad(set_to_none=True)
    F.mse_loss(predict(a.sqrt() * x0 + (1 - a).sqrt() * eps, t), eps).backward()
    adam.step()


state = {"x": torch.randn_like(x0), "t": 999}


@torch.no_grad()
def infer():
    x, t = state["x"], state["t"]
    eps = predict(x, torch.full((batch,), t))
    x = (x - beta[t] / (1 - bar[t]).sqrt() * eps) / (1 - beta[t]).sqrt()
    state["x"], state["t"] = x + beta[t].sqrt() * torch.randn_like(x), t - 1 if t > 1 else 999


step = train if args.mode == "train" else infer
step()
first = process_age()
if args.compile:
    step()
ms = []
for _ in range(args.steps):
    start = time.perf_counter()
    step()
    ms.append(1e3 * (time.perf_counter() - start))
median = statistics.median(ms)
print(json.dumps({
    "engine": "pytorch " + torch.__version__, "config": args.config, "mode": args.mode,
    "batch": batch, "threads": args.threads, "format": args.format, "alloc": args.alloc,
    "compile": args.compile, "bf16": args.bf16, "ms_median": median, "ms_min": min(ms),
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "first_step_s": first, "images_per_s": batch / median * 1e3}))
