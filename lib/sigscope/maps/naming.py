"""Names for clusters of pictures that nobody wrote about: everyday words, by zero-shot matching."""

from dataclasses import replace

import numpy as np

from sigscope.maps.clusters import Clusters, new_name
from sigscope.types import EncoderLike

EVERYDAY = """
baby, boy, girl, man, woman, crowd, family, portrait, hand, wedding, party, dancer, musician,
soldier, player, swimmer, runner, climber, dog, cat, horse, cow, sheep, bird, duck, chicken, fish,
insect, butterfly, spider, snake, bear, elephant, monkey, rabbit, flower, tree, forest, grass,
leaf, garden, field, farm, mountain, hill, valley, desert, rock, cave, waterfall, river, lake, sea,
beach, island, harbour, bridge, snow, ice, rain, cloud, sky, sunset, moon, star, fire, fog, street,
road, city, village, house, tower, church, temple, castle, ruin, market, shop, restaurant, kitchen,
bedroom, bathroom, office, school, library, museum, stadium, station, airport, factory, car, bus,
truck, bicycle, motorcycle, train, boat, ship, plane, helicopter, food, bread, cake, fruit, apple,
vegetable, salad, meat, pizza, drink, coffee, wine, bottle, cup, plate, knife, table, chair, bed,
sofa, lamp, clock, mirror, window, door, stairs, wall, fence, toy, ball, football, basketball,
tennis, skateboard, surfing, skiing, hiking, camping, guitar, piano, drum, book, letter, sign, map,
poster, screenshot, diagram, drawing, painting, sculpture, cartoon, logo, flag, text, computer,
telephone, camera, television, robot, tool, machine, money, jewellery, clothes, dress, shirt, shoe,
hat, bag, glasses, uniform, night
"""
WORDS = tuple(word.strip() for word in EVERYDAY.split(","))


def zero_shot_names(clusters: Clusters, images: np.ndarray, encoder: EncoderLike) -> Clusters:
    """Return clusters by the two everyday words that fit each best, compared with all pictures.

    A word's scores are put in deviations from its own mean first, as some words fit everything.

    Args:
        clusters: with labels for these pictures, which come first among the points.
        images: their vectors, unit rows, (n, d).
        encoder: the model that made them.
    """
    scores = images @ encoder.encode_texts(WORDS).T
    scores = (scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-6)
    labels = clusters.labels[: len(images)]
    names: list[str] = []
    for number in range(len(clusters)):
        fit = scores[labels == number].mean(axis=0)
        best = [WORDS[row] for row in np.argsort(-fit)[:6]]
        names.append(new_name(best, 2, number + 1, set(names)))
    return replace(clusters, names=names)
