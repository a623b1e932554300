"""Policies: changes of places and values, chosen at random for a batch and applied one after another."""

import math
import numbers

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe, int_tuple, one_of, positive_int
from torchkeras_lite.layers.histogram_equalization import AutoContrast, Equalization
from torchkeras_lite.layers.image_augmentation import factor_limits, images_of
from torchkeras_lite.layers.image_values import RandomValueLayer
from torchkeras_lite.layers.random_color import RandomColorDegeneration
from torchkeras_lite.layers.random_geometry import RandomRotation, RandomShear, RandomTranslation
from torchkeras_lite.layers.random_tone import (
    RandomBrightness,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)

PLACES = ("random_shear", "random_translation", "random_rotation")
TONES = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")
LEVELS = ("random_posterization", "solarization", "auto_contrast", "equalization")


class PolicyLayer(RandomValueLayer):
    """Base of the layers that choose among other layers, which are attributes such as `random_shear`.

    The choice is made on the host, for the whole batch, so that only what was chosen is computed and nothing
    waits for the device. A graph cannot branch on a draw: while torch compiles, all choices are computed and
    one is taken.

    Args:
        names: Which layers can be chosen.
        factor: Limits of the strength, two numbers from 0 to 1, or one number f for `(0, f)`.
        interpolation: `"nearest"` or `"bilinear"`, of what changes places.
        **kwargs: Those of `RandomValueLayer`.

    Raises:
        ValueError: an argument of another form.
    """

    def __init__(self, names, factor, interpolation, **kwargs):
        super().__init__(**kwargs)
        self.names = names
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))
        self.interpolation = one_of(self, "interpolation", interpolation, ("nearest", "bilinear"))
        for number, name in enumerate(names):
            seed = None if self.seed is None else self.seed + number + 1
            setattr(self, name, self._make(name, seed))

    def _make(self, name, seed):
        shared = {"data_format": self.data_format, "dtype": self.dtype_policy}
        ranged = {"value_range": self.value_range, **shared}
        drawn = {"seed": seed, **ranged}
        limits = self.factor
        if name in PLACES:
            kind, count = {
                "random_shear": (RandomShear, 2),
                "random_translation": (RandomTranslation, 2),
                "random_rotation": (RandomRotation, 1),
            }[name]
            boxes = {"bounding_box_format": self.bounding_box_format}
            return kind(*(limits,) * count, interpolation=self.interpolation, seed=seed, **boxes, **shared)
        if name in TONES:
            kinds = (RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness)
            return dict(zip(TONES, kinds, strict=True))[name](limits, **drawn)
        if name == "random_posterization":
            return RandomPosterization((1, max(1, math.floor(8 * limits[1]))), **drawn)
        if name == "solarization":
            return Solarization(limits, limits, **drawn)
        return {"auto_contrast": AutoContrast, "equalization": Equalization}[name](**ranged)

    def choose(self, data, choices, number, seed=None):
        """Return `number` draws from 0 up to `choices`: integers, or tensors while torch compiles."""
        images = torch.as_tensor(images_of(data))
        if images.is_meta:  # shapes do not depend on the choice, and looking for them takes no draws
            return [0] * number
        compiling = torch.compiler.is_compiling()
        device = images.device if compiling else torch.device("cpu")
        drawn = torch.randint(choices, (number,), generator=self.generator(device, seed), device=device)
        return list(drawn.unbind()) if compiling else drawn.tolist()

    def draw_for(self, data, names, seed=None):
        """Return the transformations that the layers called `names` draw for `data`, by name."""
        return {
            name: getattr(self, name).get_random_transformation(data, training=True, seed=seed)
            for name in names
        }

    def apply(self, method, values, choice, transformations):
        """Return what the chosen layer makes of `values`; a choice beyond the last layer leaves them.

        Args:
            method: `"transform_images"` and so on.
            values: Images, masks, or the dict of boxes.
            choice: Number of the layer: an integer, or a tensor.
            transformations: What the layers drew, by name.
        """
        if isinstance(choice, int):
            return self._apply_one(method, values, choice, transformations)
        result = values
        for number in range(len(self.names)):
            candidate = self._apply_one(method, values, number, transformations)
            result = nested.map_structure(
                lambda new, old, taken=choice == number: torch.where(taken, new, old), candidate, result
            )
        return result

    def _apply_one(self, method, values, number, transformations):
        if number >= len(self.names):
            return values
        name = self.names[number]
        return getattr(getattr(self, name), method)(values, transformations[name])


class RandAugment(PolicyLayer):
    """Applies some of eleven changes, chosen at random for each batch, to the images of a batch, in training.

    They are shear, translation, rotation, brightness, colour degeneration, contrast, sharpness,
    posterization, solarization, auto contrast and equalization.

    Args:
        value_range: The lowest and the highest value of the images.
        num_ops: How many changes are applied one after another, an integer >= 0.
        factor: Limits of their strength: two numbers from 0 to 1, or one number f for `(0, f)`.
        interpolation: `"bilinear"` or `"nearest"`, of what changes places.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        **kwargs: Those of `BaseImagePreprocessingLayer`; `bounding_box_format` for boxes.

    Shapes:
        output = input, `(batch, height, width, channels)`, channels 1 or 3, or one image

    Raises:
        ValueError: an argument of another form.

    Source: Keras 3 `keras.layers.RandAugment`; Cubuk et al. 2019 (arXiv:1909.13719). Differs: only the chosen
    changes draw and are computed, and with a `seed` each draws a sequence of its own.
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_ops=2,
        factor=0.5,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            (*PLACES, *TONES, *LEVELS),
            factor,
            interpolation,
            value_range=value_range,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        (self.num_ops,) = int_tuple(self, "num_ops", num_ops, 1, allow_zero=True)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the numbers of the chosen layers and what they drew.

        `{"transforms": {name: transformation}, "layer_idxes": [...]}`.
        """
        if not training:
            return None
        chosen = self.choose(data, len(self.names), self.num_ops, seed)
        known = all(isinstance(choice, int) for choice in chosen)
        names = [self.names[choice] for choice in sorted(set(chosen))] if known else self.names
        return {"transforms": self.draw_for(data, names, seed), "layer_idxes": chosen}

    def transform_values(self, images, transforms, layer_idxes):
        """Apply what was chosen."""
        for choice in layer_idxes:
            images = self.apply("transform_images", images, choice, transforms)
        return images

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Return the boxes, moved as the images are."""
        return self._follow("transform_bounding_boxes", bounding_boxes, transformation, training)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Return the masks, moved as the images are."""
        masks = torch.as_tensor(segmentation_masks)
        return self._follow("transform_segmentation_masks", masks, transformation, training)

    def _follow(self, method, values, transformation, training):
        if not training or transformation is None:
            return values
        for choice in transformation["layer_idxes"]:
            values = self.apply(method, values, choice, transformation["transforms"])
        return values


class AugMix(PolicyLayer):
    """Blends images with several chains of changes of them, chosen at random for each batch, in training.

    Args:
        value_range: The lowest and the highest value of the images.
        num_chains: How many chains are blended, an integer > 0.
        chain_depth: How many changes a chain has at most, an integer > 0; each is left out now and then.
        factor: Limits of their strength: two numbers from 0 to 1, or one number f for `(0, f)`.
        alpha: Parameter > 0 of the Dirichlet distribution of the shares of the chains, and of the beta one
            of the own share of the image.
        all_ops: Whether brightness, colour degeneration, contrast and sharpness are among the changes.
        interpolation: `"bilinear"` or `"nearest"`, of what changes places.
        seed, data_format, **kwargs: See `RandAugment`.

    Shapes:
        output = input, `(batch, height, width, channels)`, channels 1 or 3, or one image

    Raises:
        ValueError: an argument of another form.

    Source: Keras 3 `keras.layers.AugMix`; Hendrycks et al. 2019 (arXiv:1912.02781). Boxes stay, and masks are
    blended as the images are, in floats. Differs: masks of integers are taken, too.
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_chains=3,
        chain_depth=3,
        factor=0.3,
        alpha=1.0,
        all_ops=True,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            (*PLACES, *TONES, *LEVELS) if all_ops else (*PLACES, *LEVELS),
            factor,
            interpolation,
            value_range=value_range,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        self.num_chains = positive_int(self, "num_chains", num_chains)
        self.chain_depth = positive_int(self, "chain_depth", chain_depth)
        if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real) or not 0 < alpha < math.inf:
            raise ValueError(
                f"{describe(self)}: `alpha` must be a number above 0, got alpha={alpha!r}. Pass for example "
                "1.0."
            )
        self.alpha = alpha
        self.all_ops = all_ops

    def get_random_transformation(self, data, training=True, seed=None):
        """Return the shares of the chains, that of the image itself, and the chains.

        `{"chain_mixing_weights": (num_chains,), "weight_sample": (), "chain_transforms": [[...], ...]}`; a
        chain has a dict `{"layer_name": ..., "transformation": ...}` for each of its changes.
        """
        if not training:
            return None
        device = torch.as_tensor(images_of(data)).device
        return {
            "chain_mixing_weights": self._shares(self.num_chains, device, seed),
            "weight_sample": self._shares(2, device, seed)[0],
            "chain_transforms": [self._chain(data, seed) for _ in range(self.num_chains)],
        }

    def _shares(self, number, device, seed):
        concentration = torch.full((number,), float(self.alpha), device=device)
        return torch._sample_dirichlet(concentration, self.generator(device, seed))

    def _chain(self, data, seed):
        """Return the changes of one chain; the draw beyond the last layer is one that is left out."""
        steps = []
        for choice in self.choose(data, len(self.names) + 1, self.chain_depth, seed):
            if not isinstance(choice, int):
                steps.append({"choice": choice, "transformations": self.draw_for(data, self.names, seed)})
            elif choice < len(self.names):
                name = self.names[choice]
                drawn = self.draw_for(data, [name], seed)
                steps.append({"layer_name": name, "transformation": drawn[name]})
        return steps

    def transform_values(self, images, **transformation):
        """Blend the images with the chains of them."""
        return self._blend("transform_images", images, transformation)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Return the masks blended with the chains of them, in floats."""
        masks = torch.as_tensor(segmentation_masks)
        if not training or transformation is None:
            return masks
        return self._blend("transform_segmentation_masks", self.cast(masks), transformation)

    def _blend(self, method, values, transformation):
        mixed = torch.zeros_like(values)
        shares = transformation["chain_mixing_weights"].to(values.dtype)
        for share, chain in zip(shares.unbind(), transformation["chain_transforms"], strict=True):
            changed = values
            for step in chain:
                changed = self._step(method, changed, step)
            mixed = mixed + share * changed
        own = transformation["weight_sample"].to(values.dtype)
        return torch.lerp(mixed, values, own)

    def _step(self, method, values, step):
        if "choice" in step:
            return self.apply(method, values, step["choice"], step["transformations"])
        name = step["layer_name"]
        return self.apply(method, values, self.names.index(name), {name: step["transformation"]})
