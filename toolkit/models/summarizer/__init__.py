"""From text to text: an encoder-decoder with attention, its decoding, and ROUGE to measure it.

    summarizer = Summarizer().fit(texts, summaries)
    summarizer.summarize("A long text …")       # a short one
    rouge(summarizer.summarize(texts), summaries)

``encoder_decoder`` builds the network, ``greedy_search`` and ``beam_search`` write with it; ``lead`` and
``random_words`` are what a summariser has to beat.
"""

from toolkit.models.summarizer._baselines import lead, random_words
from toolkit.models.summarizer._decoder import Decoder, Memory, State
from toolkit.models.summarizer._network import encoder_decoder
from toolkit.models.summarizer._pointer import KnownTokens, PointerMixture
from toolkit.models.summarizer._rouge import Rouge, rouge
from toolkit.models.summarizer._sampling import ScheduledSampling
from toolkit.models.summarizer._search import Written, beam_search, greedy_search
from toolkit.models.summarizer._summarizer import Alignment, Summarizer
from toolkit.models.summarizer._vocabulary import END, PADDING, START, UNKNOWN, Vocabulary, shifted

__all__ = [
    "END",
    "PADDING",
    "START",
    "UNKNOWN",
    "Alignment",
    "Decoder",
    "KnownTokens",
    "Memory",
    "PointerMixture",
    "Rouge",
    "ScheduledSampling",
    "State",
    "Summarizer",
    "Vocabulary",
    "Written",
    "beam_search",
    "encoder_decoder",
    "greedy_search",
    "lead",
    "random_words",
    "rouge",
    "shifted",
]
