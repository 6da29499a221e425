"""The built-in list of English stop words: function words, by word class.

It is this toolkit's own, so that it is the same on every machine without a download, and because the lists at hand
do not serve:

- NLTK's states no licence under which it could be copied here, and holds *not*, *no* and *nor*. It spells
  contractions out (*isn't*, *you've*), which the Treebank tokeniser cuts (*is* + *n't*), so that they never match.
- scikit-learn's holds words that mean something (*bill*, *fire*, *interest*, *system*) and lacks most contractions;
  its own documentation warns of it (Nothman, Qin, Yurchak: Stop Word Lists in Free Open-source Software Packages,
  NLP-OSS 2018).

Here every word is one token of the tokeniser, in lower case. **Negations are left in the text** (*no*, *not*, *n't*,
*never*, *without*, …): they turn the meaning round, and a model of sentiment needs them.
"""

from __future__ import annotations

SOURCE = "toolkit.text: English function words without negations, version 1"

_DETERMINERS = """
a an the this that these those each every either some any all both several much many more most other another such same
own
"""

_PRONOUNS = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves one ones oneself who whom whose which what
"""

_ADVERBS = """
when where why how whether again also ever here just now once only quite rather so still then there thus too very yet
"""

_AUXILIARIES = """
am is are was were be been being have has had having do does did doing will would shall should can could may might must
ought
"""

# As the tokeniser cuts them: it 's, they 'll, ca n't, wo n't, sha n't, gon na.
_CONTRACTIONS = """
'm 're 's 've 'd 'll ca wo sha gon na
"""

_PREPOSITIONS = """
about above across after along among around at before behind below beneath beside between beyond by down during for from
in inside into of off on onto out outside over since through throughout till to toward towards under underneath until up
upon via with within
"""

_CONJUNCTIONS = """
and or but if because as while although though than
"""

ENGLISH = frozenset(
    " ".join((_DETERMINERS, _PRONOUNS, _ADVERBS, _AUXILIARIES, _CONTRACTIONS, _PREPOSITIONS, _CONJUNCTIONS)).split()
)
