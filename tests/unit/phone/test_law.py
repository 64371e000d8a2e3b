"""The law of digits: nothing is sent that the text does not say, and nothing is dropped without a word."""

from __future__ import annotations

import pytest
from support.examples import share_of
from support.meant_lines import dropped, judge, sent_wrongly, share_rejected


@pytest.fixture(scope="module")
def judged():
    return judge("the law", share_of(5_000))


def test_nothing_is_sent_that_the_line_does_not_mean(judged):
    assert sent_wrongly(judged) == []


def test_nothing_that_it_means_is_dropped_without_a_word(judged):
    assert dropped(judged) == []


def test_few_lines_that_mean_a_number_are_rejected(judged):
    """Some examples of `phonenumbers` are no valid numbers, and some words may be a part of the number."""
    assert share_rejected(judged) < 0.05
