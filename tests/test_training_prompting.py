"""The prompted protocol: prompts, ranking by likelihood, agreement between prompts, training on it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib.util
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("transformers", reason="needs the extra train")

import torch

from gainlaw.errors import GainlawError, InputError
from gainlaw.training.items.items import ChoiceItem, ClassItem, SpanItem
from gainlaw.training.items.registry import TASKS
from gainlaw.training.prompting.agreement import (
    count_labels,
    fleiss_kappa,
    majority_share,
    observed_agreement,
)
from gainlaw.training.prompting.consistency import ConsistencySettings, judge_predictions
from gainlaw.training.prompting.distillation import Swarm, swarm_loss, train_consistency
from gainlaw.training.prompting.encoding import context_length, encode_requests
from gainlaw.training.prompting.likelihood import score_options
from gainlaw.training.prompting.protocol import evaluate_prompts
from gainlaw.training.prompting.ranking import RankedItem, choose, encode_for, rank_items
from gainlaw.training.prompting.stated import builtin_templates, find_templates
from gainlaw.training.prompting.templates import Request, Template

DATA = Path(__file__).resolve().parent / "data" / "harness"
CAUSAL = ("gpt2", "bloom", "xglm", "qwen2")
MODELS = (*CAUSAL, "t5", "mt5")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: the models are tiny, and their numbers then do not depend on the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TINY = load_script(DATA / "tiny.py")
RECORD = json.loads((DATA / "numbers.json").read_text(encoding="utf-8"))
REQUESTS = [Request(each["prompt"], tuple(each["answers"])) for each in RECORD["requests"]]


@pytest.fixture(scope="module", params=MODELS)
def tiny(request: pytest.FixtureRequest) -> SimpleNamespace:
    kind = request.param
    return SimpleNamespace(kind=kind, model=TINY.tiny_model(kind), tokenizer=TINY.load_tokenizer(kind))


def plain_scores(model: Any, tokenizer: Any, request: Request) -> list[float]:
    """Score one continuation at a time: no cache, no padding, no batch."""
    (encoded,) = encode_for(model, tokenizer, [request])
    found = []
    for context, tokens in zip(encoded.contexts, encoded.continuations, strict=True):
        with torch.no_grad():
            if model.config.is_encoder_decoder:
                start = [model.config.decoder_start_token_id]
                decoded = torch.tensor([start + list(tokens[:-1])])
                logits = model(input_ids=torch.tensor([context]), decoder_input_ids=decoded).logits[0]
            else:
                logits = model(torch.tensor([(context + tokens)[:-1]])).logits[0, len(context) - 1 :]
        scores = logits.double().log_softmax(dim=-1)
        found.append(float(scores[torch.arange(len(tokens)), torch.tensor(tokens)].sum()))
    return found


# --- ranking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 150, 10**6])
@pytest.mark.parametrize("reuse", [True, False])
def test_log_likelihoods_are_those_of_the_harness(tiny: SimpleNamespace, budget: int, reuse: bool) -> None:
    assert RECORD["versions"]["lm_eval"] == "0.4.13"
    ranked = rank_items(tiny.model, tiny.tokenizer, REQUESTS, token_budget=budget, reuse=reuse)
    for ours, theirs in zip(ranked, RECORD["log_likelihoods"][tiny.kind], strict=True):
        assert_allclose(ours.log_likelihood, theirs, rtol=0, atol=1e-4)


def test_scores_are_those_of_one_text_at_a_time(tiny: SimpleNamespace) -> None:
    ranked = rank_items(tiny.model, tiny.tokenizer, REQUESTS, token_budget=300)
    for request, ours in zip(REQUESTS, ranked, strict=True):
        assert_allclose(
            ours.log_likelihood, plain_scores(tiny.model, tiny.tokenizer, request), rtol=0, atol=1e-5
        )


WORDS = ["the", "road", "rained", "glass", "fell", "雨", "Ночь", "yes", "no", ",", ".", "xyzzy"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)
ANSWERS = st.lists(TEXTS.filter(bool), min_size=1, max_size=4, unique=True).map(tuple)


@settings(max_examples=15)
@given(asked=st.lists(st.tuples(TEXTS, ANSWERS), min_size=1, max_size=6), budget=st.integers(1, 400))
def test_numbers_do_not_depend_on_the_batches(
    tiny: SimpleNamespace, asked: list[tuple[str, tuple[str, ...]]], budget: int
) -> None:
    requests = [Request(prompt, answers) for prompt, answers in asked]
    some = rank_items(tiny.model, tiny.tokenizer, requests, token_budget=budget)
    alone = [rank_items(tiny.model, tiny.tokenizer, [request], token_budget=1)[0] for request in requests]
    huge = rank_items(tiny.model, tiny.tokenizer, requests[::-1], token_budget=10**7)[::-1]
    for one, two, three in zip(some, alone, huge, strict=True):
        assert_allclose(one.log_likelihood, two.log_likelihood, rtol=0, atol=1e-5)
        assert_allclose(one.log_likelihood, three.log_likelihood, rtol=0, atol=1e-5)
        assert_array_equal(one.n_tokens, two.n_tokens)


def other_model(kind: str) -> Any:
    import transformers as hf

    shape: dict[str, Any] = {"vocab_size": 360, "hidden_size": 32, "num_hidden_layers": 2, "pad_token_id": 0}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    if kind == "window":
        config: Any = hf.MistralConfig(**shape, **heads, sliding_window=6, max_position_embeddings=48)
        return hf.MistralForCausalLM(config).eval()
    if kind == "opt":
        config = hf.OPTConfig(
            **shape, num_attention_heads=4, ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=48
        )
        return hf.OPTForCausalLM(config).eval()
    return hf.MambaForCausalLM(hf.MambaConfig(**shape, state_size=4)).eval()


@pytest.mark.parametrize("kind", ["window", "opt", "recurrent"])
def test_other_architectures_and_those_without_a_cache_to_share(kind: str) -> None:
    model, tokenizer = other_model(kind), TINY.load_tokenizer("gpt2")
    ranked = rank_items(model, tokenizer, REQUESTS, token_budget=400)
    for request, ours in zip(REQUESTS, ranked, strict=True):
        assert_allclose(ours.log_likelihood, plain_scores(model, tokenizer, request), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", CAUSAL)
def test_a_prompt_is_read_once(kind: str) -> None:
    model, tokenizer = TINY.tiny_model(kind), TINY.load_tokenizer(kind)
    read: list[int] = []
    model.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    prompt = "It rained all night and the road"
    answers = ("was dry.", "was wet and the river rose.", "yes")
    (ranked,) = rank_items(model, tokenizer, [Request(prompt, answers), Request(prompt, answers[:2])])[:1]
    (encoded,) = encode_for(model, tokenizer, [Request(prompt, answers)])
    longest = max(map(len, encoded.continuations)) - 1
    # The second request adds options but no prompt; an answer of one token needs no second pass.
    followed = 2 * sum(len(tokens) > 1 for tokens in encoded.continuations[:2]) + (
        len(encoded.continuations[2]) > 1
    )
    assert read == [len(encoded.contexts[0]), followed * longest]
    assert_array_equal(ranked.n_tokens, list(map(len, encoded.continuations)))


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_the_model_is_left_as_it_was(kind: str) -> None:
    model = TINY.tiny_model(kind).train()
    frozen = next(module for module in model.modules() if module is not model)
    frozen.eval()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    state = torch.get_rng_state()
    rank_items(model, TINY.load_tokenizer(kind), REQUESTS[:3])
    assert model.training
    assert not frozen.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_gradients_flow_through_the_shared_prompt() -> None:
    model, tokenizer = TINY.tiny_model("gpt2"), TINY.load_tokenizer("gpt2")
    encoded = encode_for(model, tokenizer, REQUESTS[:2])
    grads = []
    for reuse in (True, False):
        model.zero_grad()
        torch.cat(score_options(model, encoded, token_budget=200, reuse=reuse)).sum().backward()
        grads.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert float(grads[0].norm()) > 1.0
    assert_allclose(grads[0].numpy(), grads[1].numpy(), rtol=1e-3, atol=1e-4)


def test_choosing_and_lengths() -> None:
    ranked = RankedItem(
        np.array([-6.0, -8.0, -6.0]), np.array([2, 4, 2]), np.array([3, 2, 12]), np.array([3, 8, 12])
    )
    assert choose(ranked) == 0
    assert choose(ranked, "tokens") == 1
    assert choose(ranked, "characters") == 2
    assert choose(ranked, "bytes") == 2
    assert_allclose(ranked.scores("bytes"), [-2, -1, -0.5])
    with pytest.raises(InputError, match="use sum, tokens"):
        ranked.scores("words")  # type: ignore[arg-type]


def test_lengths_count_the_answer_without_the_delimiter() -> None:
    model, tokenizer = TINY.tiny_model("gpt2"), TINY.load_tokenizer("gpt2")
    (ranked,) = rank_items(model, tokenizer, [Request("昨夜", ("对，雨", "no"), delimiter="")])
    assert_array_equal(ranked.n_characters, [3, 2])
    assert_array_equal(ranked.n_bytes, [9, 2])
    (spaced,) = rank_items(model, tokenizer, [Request("昨夜", ("对，雨", "no"))])
    assert_array_equal(spaced.n_characters, ranked.n_characters)
    assert not np.allclose(spaced.log_likelihood, ranked.log_likelihood)


def test_a_model_that_gives_no_numbers_is_an_error() -> None:
    model = TINY.tiny_model("gpt2")
    with torch.no_grad():
        model.transformer.ln_f.weight.fill_(math.nan)
    with pytest.raises(GainlawError, match="not numbers for 2 of 2 requests"):
        rank_items(model, TINY.load_tokenizer("gpt2"), REQUESTS[:2])


# --- tokens -------------------------------------------------------------------------------------------------


def test_where_texts_are_cut_into_tokens() -> None:
    tokenizer = TINY.load_tokenizer("xglm")
    requests = [Request("yes ", ("no",)), Request("", ("no",)), Request("<s>yes", ("no",))]
    spaced, empty, opened = encode_requests(tokenizer, requests, causal=True, max_length=48)
    # The space of the prompt goes to the answer; a text that has its opening token gets no second one.
    assert tokenizer.decode(list(spaced.contexts[0])) == "<s>yes"
    assert tokenizer.decode(list(spaced.continuations[0])) == "  no"
    assert empty.contexts == ((tokenizer.bos_token_id,),)
    assert opened.contexts[0].count(tokenizer.bos_token_id) == 1
    long = Request("the road " * 40, ("was dry and the river rose", "no"))
    (cut,) = encode_requests(tokenizer, [long], causal=True, max_length=48)
    assert [len(c) + len(t) for c, t in zip(cut.contexts, cut.continuations, strict=True)] == [49, 49]
    pieces = TINY.load_tokenizer("t5")
    (both,) = encode_requests(pieces, [long], causal=False, max_length=20)
    assert [len(context) for context in both.contexts] == [20, 20]
    assert both.contexts[0][-1] == pieces.eos_token_id
    assert pieces.eos_token_id not in both.continuations[0]


def test_requests_that_cannot_be_scored_are_all_named() -> None:
    tokenizer = TINY.load_tokenizer("gpt2")
    requests = [Request("a", ()), REQUESTS[0], Request("a", ("the road " * 60,)), Request("", ("",), "")]
    with pytest.raises(InputError) as caught:
        encode_requests(tokenizer, requests, causal=True, max_length=48)
    text = str(caught.value)
    assert "there is no continuation to rank: requests 0" in text
    assert "exceeds 48 tokens: requests 2" in text
    assert "no token of its own: requests 3" in text
    with pytest.raises(InputError, match="token_budget"):
        rank_items(TINY.tiny_model("gpt2"), tokenizer, REQUESTS[:1], token_budget=0)


def test_context_length_comes_from_the_configuration_first() -> None:
    class Config:
        max_position_embeddings = 77

    tokenizer = TINY.load_tokenizer("gpt2")
    assert context_length(Config(), tokenizer) == 77  # type: ignore[arg-type]
    assert context_length(object(), tokenizer) == 48  # type: ignore[arg-type]
    tokenizer.model_max_length = int(1e30)
    assert context_length(object(), tokenizer) == 2048  # type: ignore[arg-type]


# --- prompts ------------------------------------------------------------------------------------------------

PROMPTED = [name for name, task in TASKS.items() if task.prompts]
#: A task without prompts of its own.
BARE = dataclasses.replace(TASKS["xcopa"], prompts=())


def test_which_tasks_have_prompts_of_their_own() -> None:
    lacking = {"squad_v1", "squad_v2", "ccg", "world_nli", "world_copa", "world_siqa"}
    lacking |= {"xquad", "mlqa", "tydiqa_goldp", "wikiann_ner", "udpos", "tatoeba"}
    assert set(PROMPTED) == set(TASKS) - lacking
    assert builtin_templates(TASKS["world_nli"]) == ()
    assert builtin_templates(BARE) == builtin_templates(TASKS["world_siqa"]) != ()


@pytest.mark.parametrize("name", [*PROMPTED, "world_copa"])
def test_every_task_has_five_prompts_that_render(name: str) -> None:
    task = TASKS[name]
    templates = find_templates(None, task)
    assert len(templates) >= 5
    assert templates == builtin_templates(task)
    assert len({template.text for template in templates}) == len(templates)
    options = tuple(f"Option {k} {{x}}." for k in range(task.n_options or 5))
    item = (
        ClassItem("1", "First text {a}.", "Second text.", 0)
        if task.kind == "classification"
        else ChoiceItem("1", "The context {a}.", options, 0)
    )
    for template in templates:
        request = template.render(item)
        assert len(request.continuations) == (len(task.classes) or len(options))
        assert len(set(request.continuations)) == len(request.continuations)
        shown = request.prompt + "".join(request.continuations)
        for text in (item.first, item.second) if isinstance(item, ClassItem) else (item.context,):
            assert text in shown
        # The harness counts a space at the end of a prompt to the answer; ours have none to count.
        assert request.prompt == request.prompt.rstrip()


def test_answers_stand_in_the_order_of_the_classes() -> None:
    for name in ("xnli", "mnli", "anli", "anli_mnli", "sick"):
        assert TASKS[name].classes == ("entailment", "neutral", "contradiction")
        assert builtin_templates(TASKS[name])[0].answers == ("yes", "maybe", "no")
    for name in ("pawsx", "qqp"):
        assert TASKS[name].classes == ("different", "same")
        assert builtin_templates(TASKS[name])[0].answers == ("no", "yes")


def test_prompts_of_an_experiment_file() -> None:
    stated = {
        "name": "mine",
        "text": "{first} So {second}? {{so}}",
        "answers": ["Yes", "Perhaps", "No, {first}"],
    }
    alike = SimpleNamespace(name="other", text="{first}: {second}", answers=["a", "b", "c"])
    found = find_templates(["follows", stated, alike], TASKS["xnli"])
    assert [template.name for template in found] == ["follows", "mine", "other"]
    request = found[1].render(ClassItem("1", "A {x}", "B", 0))
    assert request == Request("A {x} So B? {so}", ("Yes", "Perhaps", "No, A {x}"))
    lettered = find_templates(
        [{"name": "l", "text": "{context}\n{lettered}\n{options}\n", "answers": ["A", "B", "C"]}],
        TASKS["siqa"],
    )
    item = ChoiceItem("1", "Who?", ("He.", "She."), 0)
    assert lettered[0].render(item) == Request("Who?\nA. He.\nB. She.\n- He.\n- She.\n", ("A", "B"))
    pattern = find_templates([{"name": "p", "text": "{context}", "answers": ["I say {option}"]}], BARE)
    assert pattern[0].render(item).continuations == ("I say He.", "I say She.")


def test_faults_of_prompts_are_reported_together() -> None:
    prompts: list[object] = [
        "follow",
        {"name": "a", "text": "{frist} {second}", "answers": ["x", "y", "z"]},
        {"name": "b", "text": "{first} {", "answers": ["x", "y"]},
        {"name": "c", "text": "{first.__class__}", "answers": ["x", "x", " "]},
        {"name": "c", "text": "{first!r} {0}", "answers": ["x", "y", "z"]},
    ]
    with pytest.raises(InputError) as caught:
        find_templates(prompts, TASKS["xnli"], source="my.toml")
    text = str(caught.value)
    for part in (
        "my.toml: ", "did you mean follows?", "{frist}; did you mean {first}? the fields are {first}, {second}",
        "brace out of place", "2 answers for 3 classes", "entailment, neutral, contradiction",
        "unknown field {first.__class__}", "two answers are the same", "answers[2] is empty",
        "formats the field {first}", "unknown field {0}", "two prompts have this name",
    ):  # fmt: skip
        assert part in text, part
    with pytest.raises(InputError, match="no prompts come with the task world_nli"):
        find_templates(None, TASKS["world_nli"])
    with pytest.raises(InputError, match=r"does not use \{option\}"):
        find_templates([{"name": "a", "text": "{context}", "answers": ["x"]}], BARE)
    with pytest.raises(InputError, match="cannot ask for a span task"):
        find_templates([{"name": "a", "text": "x"}], TASKS["squad_v1"])
    with pytest.raises(InputError, match="no prompt is given"):
        find_templates([], TASKS["xcopa"])
    with pytest.raises(InputError, match="SpanItem"):
        Template("a", "x").render(SpanItem("1", "q", "c", ()))
    with pytest.raises(InputError, match="2 answers for 3 options of item 7"):
        Template("a", "x", ("A", "B")).render(ChoiceItem("7", "c", ("a", "b", "c"), 0))


# --- agreement ----------------------------------------------------------------------------------------------

# Diagnoses of thirty patients by six raters: Fleiss 1971, doi:10.1037/h0031619.
DIAGNOSES = (
    "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445"
    " 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"
)


def test_kappa_of_a_published_example() -> None:
    labels = np.array([[int(digit) - 1 for digit in each] for each in DIAGNOSES.split()]).T
    counts = count_labels(labels)
    assert counts.shape == (30, 5)
    assert_array_equal(counts.sum(axis=0), [26, 26, 30, 55, 43])
    assert fleiss_kappa(counts) == pytest.approx(0.430, abs=5e-4)
    assert observed_agreement(counts) == pytest.approx(0.5556, abs=5e-5)


def test_kappa_is_that_of_statsmodels() -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa as theirs

    rng = np.random.default_rng(0)
    for n_raters, n_options in ((2, 2), (5, 3), (11, 4)):
        labels = rng.integers(n_options, size=(n_raters, 40))
        counts = count_labels(labels, n_options + 1)
        assert fleiss_kappa(counts) == pytest.approx(theirs(counts), abs=1e-12)
        assert fleiss_kappa(counts, pseudo_count=1) == pytest.approx(theirs(counts + 1), abs=1e-12)


def test_kappa_at_its_edges() -> None:
    assert fleiss_kappa([[6, 0], [0, 6]]) == 1.0
    assert fleiss_kappa([[3, 3]] * 4) == pytest.approx(-1 / 5)
    for counts in (np.zeros((0, 2)), [[1, 0], [0, 1]], [[5, 0], [5, 0]], np.zeros((3, 0))):
        assert math.isnan(fleiss_kappa(counts))
    # With a count added, all alike is just below chance, and agreement stays far above it.
    assert (
        -0.2
        < fleiss_kappa([[6, 0]] * 10, pseudo_count=1)
        < 0
        < fleiss_kappa([[6, 0], [0, 6]], pseudo_count=1)
    )
    assert majority_share([[5, 1], [0, 6]]) == pytest.approx(7 / 12)
    assert math.isnan(majority_share(np.zeros((0, 2))))
    for bad in ([[1, 2], [1, 1]], [[-1, 2]], [1, 2], [[math.nan, 1.0]]):
        with pytest.raises(InputError):
            fleiss_kappa(bad)
    for labels in ([[0, -1]], [[0.5]], [0, 1], [[0, 3]]):
        with pytest.raises(InputError):
            count_labels(labels, 3)


# --- the protocol -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bloom", "mt5"])
def test_one_row_a_prompt_with_their_agreement(kind: str) -> None:
    model, tokenizer = TINY.tiny_model(kind), TINY.load_tokenizer(kind)
    words = ["yes", "no", "road", "rain", "dry"]
    items = [
        ChoiceItem(f"i{k}", f"the {w} was", ("the road", "a", "the river rose"), k % 3)
        for k, w in enumerate(words)
    ]
    templates = [
        Template("plain", "{context}"),
        Template("ask", "Is it true? {context}"),
        Template("x", "x {context}"),
    ]
    scores = evaluate_prompts(model, tokenizer, items, templates, token_budget=64)
    rows = scores.rows()
    assert [(row["prompt"], row["metric"]) for row in rows] == [
        (name, metric) for metric in ("accuracy", "accuracy_per_character") for name in ("plain", "ask", "x")
    ]
    for row, template in zip(rows[:3], templates, strict=True):
        ranked = rank_items(model, tokenizer, [template.render(item) for item in items])
        right = [choose(each) == item.label for each, item in zip(ranked, items, strict=True)]
        assert row["n_correct"] == sum(right)
        assert row["n_examples"] == 5
    answers = scores.answers["accuracy"]
    kappa = fleiss_kappa(count_labels(answers, 3))
    for row in rows[:3]:
        assert row["fleiss_kappa"] == pytest.approx(kappa, nan_ok=True)
    per_item = scores.item_rows(["accuracy"])
    assert len(per_item) == 15
    assert sum(row["correct"] for row in per_item) == sum(row["n_correct"] for row in rows[:3])
    assert per_item[6]["example"] == "i1"
    with pytest.raises(InputError, match=r"(?s)items.*templates"):
        evaluate_prompts(model, tokenizer, [], [])


# --- prompt consistency -------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalised", [True, False])
def test_the_loss_is_the_mean_over_pairs_of_different_prompts(normalised: bool) -> None:
    rng = np.random.default_rng(1)
    student = torch.tensor(rng.normal(-5, 2, (4, 3)), requires_grad=True)
    teacher = torch.tensor(rng.normal(-5, 2, (4, 3)), requires_grad=True)
    loss = swarm_loss(student, teacher, normalised=normalised)
    p, q = student.detach().numpy(), np.exp(teacher.detach().numpy())
    q /= q.sum(axis=1, keepdims=True)
    logs = p - np.log(np.exp(p).sum(axis=1, keepdims=True)) if normalised else p
    pairs = [-(q[i] * logs[j]).sum() for i in range(4) for j in range(4) if i != j]
    assert loss.item() == pytest.approx(np.mean(pairs))
    loss.backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert float(student.grad.norm()) > 0


def test_a_collapse_is_told_from_agreement() -> None:
    rng = np.random.default_rng(2)
    answers = rng.integers(3, size=60)
    agreed = judge_predictions(np.tile(answers, (5, 1)), 3)
    collapsed = judge_predictions(np.zeros((5, 60), dtype=int), 3)
    assert (agreed["kappa"], agreed["agreement"]) == (1.0, 1.0)
    assert agreed["entropy"] == pytest.approx(math.log(3), abs=0.05)
    assert math.isnan(collapsed["kappa"])
    assert [collapsed[name] for name in ("agreement", "majority", "entropy")] == [1.0, 1.0, 0.0]
    assert collapsed["criterion"] < 0 < agreed["criterion"]


WEATHER = (("rained", "rose", "wet"), ("dry", "asleep", "broke"))
SWARM = [
    Template("one", "{first} Question: wet? Answer:", ("yes", "no")),
    Template("two", "Is it true? {first} Answer:", ("yes", "no")),
    Template("three", "{first} Is the road wet or dry?", ("wet", "dry")),
    Template("four", "Where would you put {first}", ("the river", "the shelf")),
]


def weather_items(count: int, seed: int) -> list[ClassItem]:
    """Return sentences of which one word decides the class, both classes equally often."""
    rng = np.random.default_rng(seed)
    fillers = ["the", "road", "night", "table", "glass", "river", "all", "and"]
    items = []
    for k in range(count):
        words = [*rng.choice(fillers, 3), rng.choice(WEATHER[k % 2]), *rng.choice(fillers, 1)]
        items.append(ClassItem(str(k), " ".join(words), "", k % 2))
    return items


@functools.cache
def taught_model(kind: str) -> Any:
    """Return a tiny model that was taught the task under all prompts and then lost some of it."""
    model, tokenizer = TINY.tiny_model(kind), TINY.load_tokenizer(kind)
    items = weather_items(128, 0)
    encoded = [encode_for(model, tokenizer, [template.render(item) for item in items]) for template in SWARM]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    for _ in range({"gpt2": 150, "t5": 300}[kind]):
        rows, prompts = rng.integers(len(items), size=16), rng.integers(len(SWARM), size=16)
        batch = [encoded[k][row] for k, row in zip(prompts, rows, strict=True)]
        scores = torch.stack(score_options(model, batch, token_budget=4096))
        loss = -scores[torch.arange(16), torch.tensor(rows % 2)].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                noise = torch.from_numpy(rng.standard_normal(tuple(weight.shape)))
                weight.add_({"gpt2": 0.8, "t5": 0.3}[kind] * weight.std() * noise)
    return model


QUICK = ConsistencySettings(
    learning_rate=1e-2,
    steps=30,
    warmup_steps=3,
    batch_size=8,
    min_steps=10,
    check_every=10,
    rank=4,
    dropout=0.1,
)


def unlabelled(items: Sequence[ClassItem]) -> list[ClassItem]:
    return [ClassItem(item.id, item.first, item.second, -1) for item in items]


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_prompts_agree_more_after_training_on_their_agreement(kind: str, tmp_path: Path) -> None:
    tokenizer = TINY.load_tokenizer(kind)
    items, validation, test = (weather_items(count, seed) for count, seed in ((60, 1), (40, 2), (60, 3)))
    model = copy.deepcopy(taught_model(kind))
    before = evaluate_prompts(model, tokenizer, test, SWARM)
    state = torch.get_rng_state()
    result = train_consistency(
        model,
        tokenizer,
        unlabelled(items),
        SWARM,
        QUICK,
        seed=3,
        folder=tmp_path,
        validation=unlabelled(validation),
    )
    assert torch.equal(torch.get_rng_state(), state)
    history = result.training.checks
    assert [check["step"] for check in history] == [0, 10, 20, 30]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation" in line] == [10, 20, 30]
    assert math.isnan(history[0]["loss"])
    best = max((check for check in history if check["step"] >= QUICK.min_steps), key=lambda c: c["criterion"])
    assert (result.step, result.kappa, result.collapsed) == (best["step"], best["kappa"], False)
    # Where the prompts start from differs between machines; a good part of their disagreement goes away.
    assert 1.0 - result.kappa < 0.7 * (1.0 - history[0]["kappa"])
    # The weights are those of the chosen step, in the model that was given, with no adapter left.
    assert result.model is model
    assert not any("lora" in name for name, _ in model.named_parameters())
    assert all(weight.requires_grad for weight in model.parameters())
    assert evaluate_prompts(model, tokenizer, validation, SWARM).kappa() == pytest.approx(result.kappa)
    # On other items the prompts agree too, and no label was needed to be right more often.
    after = evaluate_prompts(model, tokenizer, test, SWARM)
    assert 1.0 - after.kappa() < 0.8 * (1.0 - before.kappa())
    correct = [[row["n_correct"] for row in scores.rows(["accuracy"])] for scores in (before, after)]
    assert sum(correct[1]) >= sum(correct[0])


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_the_same_seed_gives_the_same_model(kind: str, tmp_path: Path) -> None:
    tokenizer, items = TINY.load_tokenizer(kind), weather_items(12, 1)
    short = dataclasses.replace(QUICK, steps=4, min_steps=2, check_every=2, prompts_per_item=2, dropout=0.3)
    trained = []
    for seed, wrong in ((0, False), (0, True), (1, False)):
        model = TINY.tiny_model(kind)
        given = unlabelled(items) if wrong else items
        torch.manual_seed(100 + len(trained))
        trained.append(train_consistency(model, tokenizer, given, SWARM, short, seed=seed, folder=tmp_path))
    one, two, three = ([weight.detach() for weight in each.model.parameters()] for each in trained)
    assert trained[0].training.checks[1:] == trained[1].training.checks[1:]
    assert all(map(torch.equal, one, two))
    assert not all(map(torch.equal, one, three))


def test_a_killed_run_goes_on_to_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, items = TINY.load_tokenizer("gpt2"), weather_items(12, 1)
    short = dataclasses.replace(QUICK, steps=6, min_steps=2, check_every=2, prompts_per_item=2, dropout=0.3)

    def run(name: str) -> Any:
        (tmp_path / name).mkdir(exist_ok=True)
        return train_consistency(
            TINY.tiny_model("gpt2"),
            tokenizer,
            items,
            SWARM,
            short,
            seed=0,
            folder=tmp_path / name,
            snapshot_seconds=-1.0,
        )

    whole, pieces = run("whole"), Swarm.pieces

    def killed(self: Swarm, step: int, budget: int) -> Any:
        if step == 5:
            raise KeyboardInterrupt
        return pieces(self, step, budget)

    monkeypatch.setattr(Swarm, "pieces", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(Swarm, "pieces", pieces)
    again = run("killed")
    assert repr(again.training.checks) == repr(whole.training.checks)  # the first loss is NaN
    for one, two in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_small_parts_give_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    items, tokenizer = weather_items(10, 1), TINY.load_tokenizer("gpt2")
    models = []
    for budget in (1, 10**6):
        model = TINY.tiny_model("gpt2")
        plain = dataclasses.replace(
            QUICK, steps=2, min_steps=0, check_every=2, dropout=0.0, token_budget=budget, learning_rate=1e-3
        )
        model.config.resid_pdrop = model.config.attn_pdrop = model.config.embd_pdrop = 0.0
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        result = train_consistency(model, tokenizer, items, SWARM, plain, seed=0, folder=tmp_path)
        models.append(
            (
                result.training.checks[-1]["loss"],
                torch.cat([weight.flatten() for weight in model.parameters()]),
            )
        )
    assert models[0][0] == pytest.approx(models[1][0], abs=1e-4)
    assert_allclose(models[0][1].detach().numpy(), models[1][1].detach().numpy(), atol=1e-4)


def test_a_collapse_is_flagged_and_not_chosen_while_there_is_better(tmp_path: Path) -> None:
    # Under untaught prompts the tiny model knows only answers, so agreement means giving all items the same.
    model, tokenizer = TINY.tiny_model("gpt2"), TINY.load_tokenizer("gpt2")
    templates = [Template(name, f"{name} {{first}}", ("yes", "no")) for name in ("It", "The", "Is")]
    quick = ConsistencySettings(
        learning_rate=2e-2,
        steps=20,
        warmup_steps=1,
        batch_size=4,
        min_steps=10,
        check_every=5,
        rank=4,
        dropout=0.0,
    )
    result = train_consistency(
        model, tokenizer, weather_items(30, 1), templates, quick, seed=0, folder=tmp_path
    )
    chosen = next(check for check in result.training.checks if check["step"] == result.step)
    assert result.collapsed
    assert chosen["majority"] >= quick.collapse_share
    assert chosen["agreement"] > 0.9
    assert chosen["criterion"] < 0.2


def test_settings_and_inputs_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        ConsistencySettings(steps=0, learning_rate=0.0, dropout=1.0, prompts_per_item=1, student="x")  # type: ignore[arg-type]
    for name in ("steps", "learning_rate", "dropout", "prompts_per_item", "student", "min_steps"):
        assert f"column '{name}'" in str(caught.value)
    model, tokenizer = TINY.tiny_model("gpt2"), TINY.load_tokenizer("gpt2")
    with pytest.raises(InputError, match=r"(?s)two prompts.*items are too few.*validation"):
        train_consistency(model, tokenizer, [], SWARM[:1], QUICK, seed=0, folder=tmp_path, validation=[])


def test_a_model_survives_a_training_that_fails(tmp_path: Path) -> None:
    model, tokenizer = TINY.tiny_model("gpt2"), TINY.load_tokenizer("gpt2")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    items = [*weather_items(4, 0), SpanItem("1", "q", "c", ())]
    with pytest.raises(InputError, match="SpanItem"):
        train_consistency(
            model, tokenizer, items, SWARM, QUICK, seed=0, folder=tmp_path, validation=weather_items(3, 1)
        )
    assert set(model.state_dict()) == set(before)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(weight.requires_grad for weight in model.parameters())


def test_prompts_are_read_in_smaller_batches_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from gainlaw.errors import GainlawError
    from gainlaw.training.jobs import rank

    asked: list[int] = []

    def answers(*_: object, token_budget: int, device: str) -> str:
        asked.append(token_budget)
        if token_budget > 100:
            raise torch.OutOfMemoryError
        return "answers"

    monkeypatch.setattr(rank, "evaluate_prompts", answers)
    spec = {"precision": "fp32", "micro_batch_tokens": 512}
    assert rank._answers(None, None, [], [], spec, "cpu") == "answers"  # type: ignore[arg-type]
    assert asked == [512, 256, 128, 64]

    def never(*_: object, token_budget: int, device: str) -> str:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(rank, "evaluate_prompts", never)
    with pytest.raises(GainlawError, match="does not fit into memory"):
        rank._answers(None, None, [], [], spec, "cpu")  # type: ignore[arg-type]
