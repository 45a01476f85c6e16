"""Languages: which one a code means, and that every language of the benchmarks is known."""

from __future__ import annotations

import pandas as pd
import pytest

from gainlaw.scores.evaluations.table import evaluations_from_frame
from gainlaw.scores.gains.cells.reading import gains_from_frame
from gainlaw.scores.languages import describe_languages, language_variants, load_languages, unify_languages

XTREME_R = """
af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu ro ru sw ta
te th tl tr uk ur vi wo yo zh
"""
GLOBAL_MMLU = """
am ar bn cs de el en es fa fil fr ha he hi id ig it ja ko ky lt mg ms ne nl ny pl pt ro ru si sn so sr sv sw te tr uk vi
yo zh
"""
FLORES = """
ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi apc_Arab arb_Arab
arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn
ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn
ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek
eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn
gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn
hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn
kan_Knda kas_Arab kas_Deva kat_Geor kaz_Cyrl kbp_Latn kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl
kmb_Latn kmr_Latn knc_Arab knc_Latn kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn
ltg_Latn ltz_Latn lua_Latn lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Arab
min_Latn mkd_Cyrl mlt_Latn mni_Beng mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn
nus_Latn nya_Latn oci_Latn ory_Orya pag_Latn pan_Guru pap_Latn pbt_Arab pes_Arab plt_Latn pol_Latn por_Latn
prs_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng sat_Olck scn_Latn shn_Mymr sin_Sinh
slk_Latn slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn
swe_Latn swh_Latn szl_Latn tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi
tpi_Latn tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab
uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zsm_Latn
zul_Latn
"""
BELEBELE = (
    "arb_Latn ben_Latn hin_Latn npi_Latn sin_Latn urd_Latn apc_Arab arz_Arab ary_Arab ars_Arab acm_Arab"
)


def scores(codes: list[str], **columns: object) -> pd.DataFrame:
    """Return one pair for every two codes: the first is the baseline's, the second the other's."""
    rows = []
    for i, code in enumerate(codes):
        base = i % 2 == 0
        rows.append(
            {
                "model_family": "A", "model": "a" if base else "b", "base_model": "" if base else "a",
                "params": 10**9, "intermediate": "none" if base else "x", "task": f"task{i // 2}",
                "language": code, "score": 0.5 + 0.01 * i, "n_examples": 1000, "n_classes": 2,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


@pytest.mark.parametrize(
    "codes", [XTREME_R, GLOBAL_MMLU, FLORES, BELEBELE], ids=["xtreme_r", "global_mmlu", "flores", "belebele"]
)
def test_every_language_of_the_benchmarks_is_known(codes: str) -> None:
    found = describe_languages(codes.split())
    assert found["known"].all(), found.loc[~found["known"], "language"].tolist()
    assert found.notna()[["language_name", "language_family", "genus"]].all(axis=None)
    assert not found["language_family"].str.contains("unlisted").any()


@pytest.mark.parametrize(
    "same",
    [
        ("en", "eng", "eng_Latn", "en-US", "EN", "en_XX"),
        ("zh", "cmn", "zho", "chi", "zh-CN", "zho_Hans", "zh-Hans-CN", "cmn_Hans"),
        ("no", "nb", "nob", "nor", "nob_Latn", "nb-NO"),
        ("et", "est", "ekk", "est_Latn"),
        ("he", "iw", "heb", "heb_Hebr"),
        ("id", "in", "ind_Latn"),
        ("ar", "ara", "arb", "arb_Arab"),
        ("ms", "msa", "zsm", "zsm_Latn"),
        ("tl", "tgl", "fil", "tgl_Latn"),
        ("nan", "zh-min-nan"),
        ("yue", "zh-yue", "yue_Hant"),
        ("fa", "fas", "pes_Arab", "per"),
        ("ne", "npi_Deva", "nep"),
        ("pt", "pt-BR", "pt_br", "por"),
    ],
    ids=lambda same: same[0],
)
def test_one_language_whatever_it_is_called(same: tuple[str, ...]) -> None:
    assert describe_languages(same)["language_name"].nunique() == 1
    shortest = min(same, key=lambda code: (len(code), code))
    assert unify_languages(same) == {code: shortest for code in same if code != shortest}


def test_different_languages_stay_different() -> None:
    for codes in (
        ("no", "nn"),
        ("ar", "arz"),
        ("zh", "yue", "nan"),
        ("ak", "tw"),
        ("fa", "prs"),
        ("hr", "sr", "bs"),
    ):
        assert describe_languages(codes)["language_name"].nunique() == len(codes)
        assert unify_languages(codes) == {}
    assert describe_languages(["nan"])["language_name"].item() == "Min Nan Chinese"


def test_a_pair_of_languages_is_none_of_them() -> None:
    for code in (
        "en-ar",
        "eng-fra",
        "eng_Latn-arb_Arab",
        "en_ar",
        "en>ar",
        "en2ar",
        "de-en",
        "EN-AR",
        "xx",
        "avg",
        "jp",
    ):
        assert not describe_languages([code])["known"].item(), code
    assert describe_languages(["en-AR", "es-MX", "es-419", "zh-tw", "en-us", "ca-valencia"])["known"].all()


def test_the_table_holds_every_language_once_and_the_first_rows_are_those_of_the_scores() -> None:
    table = load_languages()
    assert table["language"].is_unique
    assert table["iso639_3"].is_unique
    assert table["family"].notna().all()
    assert table["roots_bytes"].notna().sum() == 65
    assert describe_languages(table["language"])["known"].all()
    assert describe_languages(table["iso639_3"])["language_name"].tolist() == table["name"].tolist()
    assert (
        not table["family"]
        .isin(["Bookkeeping", "Sign Language", "Unclassifiable", "Artificial Language"])
        .any()
    )


def test_spellings_of_one_language_pair_and_are_said() -> None:
    evals = evaluations_from_frame(scores(["en", "eng_Latn", "zh", "zho_Hans"]))
    gains = evals.gains()
    assert gains.frame["language"].tolist() == ["en", "zh"]
    said = " ".join(map(str, gains.notes))
    assert "'eng_Latn' was read as 'en'" in said
    alone = evaluations_from_frame(scores(["eng_Latn", "eng_Latn"])).gains()
    assert alone.frame["language"].tolist() == ["eng_Latn"]  # a table's own spelling stays
    again = gains_from_frame(pd.DataFrame({"language": ["en", "eng"], "gain": [3.0, 4.0], "se": 1.0}))
    assert again.frame["language"].tolist() == ["en", "en"]


def test_scripts_of_one_language_are_kept_apart_in_one_family() -> None:
    assert language_variants(["zho_Hans", "zho_Hant", "kas_Deva", "sw"]) == [("zho_Hans", "zho_Hant")]
    gains = evaluations_from_frame(scores(["zho_Hans", "zho_Hans", "zho_Hant", "zho_Hant"])).gains()
    assert gains.frame["language"].tolist() == ["zho_Hans", "zho_Hant"]
    assert gains.frame["language_family"].unique().tolist() == ["Sino-Tibetan"]
    assert "one language in several scripts" in " ".join(map(str, gains.notes))


def test_unlisted_languages_are_families_of_their_own() -> None:
    evals = evaluations_from_frame(scores(["xx", "xx", "qqq", "qqq"]))
    for notes, frame in ((evals.notes, evals.frame), (evals.gains().notes, evals.gains().frame)):
        assert sorted(frame["language_family"].unique()) == ["qqq (unlisted)", "xx (unlisted)"]
        assert sorted(frame["genus"].unique()) == ["qqq (unlisted)", "xx (unlisted)"]
        assert "each is a family of its own: 'qqq', 'xx'" in " ".join(map(str, notes))
    effects = pd.DataFrame({"language": ["xx", "yy1"], "gain": [3.0, 4.0], "se": 1.0})
    assert "unlisted_language" in {note.kind for note in gains_from_frame(effects).notes}
    named = evaluations_from_frame(scores(["xx", "xx"], language_family="Mine"))
    assert "unlisted_language" not in {note.kind for note in named.notes}


def test_predictions_find_their_rows_by_any_spelling() -> None:
    table = scores(["en", "eng_Latn"], score=0.5, n_examples=4)
    items = pd.DataFrame(
        [
            {"model": m, "intermediate": i, "task": "task0", "language": code, "example": e, "correct": e % 2}
            for m, i, code in (("a", "none", "en"), ("b", "x", "eng_Latn"))
            for e in range(4)
        ]
    )
    gains = evaluations_from_frame(table, predictions=items).gains()
    assert gains.frame["variance"].tolist() == ["paired"]
