"""The exercises of lesson 00, the tour: three small ones, to meet the checker."""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

EXERCISES = [
    Exercise(
        id="00.1",
        title="How many numbers does the layer learn?",
        reference=lambda: 784 * 10 + 10,
        misconceptions=(
            Misconception(
                "biases forgotten",
                lambda: 784 * 10,
                "These are all the weights in W. Which other letter of z = xW + b is learned, too, and how many "
                "numbers does it stand for?",
            ),
            Misconception(
                "one bias for the whole layer",
                lambda: 784 * 10 + 1,
                "You count a single bias. Each unit adds one of its own to its sum; how many units are there?",
            ),
            Misconception(
                "one bias for each input",
                lambda: 784 * 10 + 784,
                "The biases are added to z, so there is one for each number in z. You count one for each pixel.",
            ),
            Misconception(
                "one row of pixels as the input",
                lambda: 28 * 10 + 10,
                "28 is the length of one row of pixels. The layer sees all rows of the image at once.",
            ),
        ),
    ),
    Exercise(
        id="00.2",
        title="Which digit does the network say?",
        reference=lambda: 3,
        misconceptions=(
            Misconception(
                "the probability instead of the class",
                lambda: 0.61,
                "This is how sure the network is. Asked for is the digit, which is the place where that number stands.",
            ),
            Misconception(
                "counted from one",
                lambda: 4,
                "You found the right number, but counted its place from one. The first place stands for the digit 0.",
            ),
            Misconception(
                "the last instead of the largest",
                lambda: 9,
                "There are ten probabilities, one for each digit. Where is the largest?",
            ),
        ),
    ),
    Exercise(
        id="00.3",
        title="Accuracy",
        reference=lambda labels, predictions: np.mean(labels == predictions),
        cases=(
            (np.array([7, 2, 1, 0]), np.array([7, 2, 1, 6])),
            (np.array([3, 1, 4, 1, 5]), np.array([3, 1, 9, 7, 3])),
            (np.array([8, 8]), np.array([8, 8])),
        ),
        misconceptions=(
            Misconception(
                "count instead of share",
                lambda labels, predictions: np.sum(labels == predictions),
                "You count the digits that are right. A share lies between 0 and 1: out of how many?",
            ),
            Misconception(
                "share of mistakes",
                lambda labels, predictions: np.mean(labels != predictions),
                "This is the share of the mistakes. Accuracy is the share of what went right.",
            ),
            Misconception(
                "percent",
                lambda labels, predictions: 100 * np.mean(labels == predictions),
                "Right, if it were asked for in percent. In this course a share is a number between 0 and 1.",
            ),
            Misconception(
                "nearness instead of equality",
                lambda labels, predictions: np.mean(np.abs(labels - predictions)),
                "You average how far apart the two digits are. But a 7 read as an 8 is no better than a 7 read as "
                "a 1: only whether they are equal counts.",
            ),
        ),
    ),
]
