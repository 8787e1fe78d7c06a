# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Build fcrn_depth_ros: as an ament_python package with colcon, or with plain pip."""

from pathlib import Path
import re

from setuptools import find_packages, setup

PACKAGE_NAME = 'fcrn_depth_ros'
ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Read the version from the one place where it stands."""
    text = (ROOT / PACKAGE_NAME / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


def read_requirements(name: str) -> list:
    """Read the requirements that scripts/environment.sh installs, less comments and options."""
    lines = (ROOT / 'requirements' / name).read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


def share_files(folder: str) -> list:
    """List the files below one folder, which go into share/fcrn_depth_ros/<folder>."""
    files_of = {}
    for path in sorted((ROOT / folder).rglob('*')):
        if path.is_file() and '__pycache__' not in path.parts:
            file = path.relative_to(ROOT)
            files_of.setdefault(f'share/{PACKAGE_NAME}/{file.parent.as_posix()}', []).append(
                file.as_posix()
            )
    return list(files_of.items())


setup(
    name=PACKAGE_NAME,
    version=read_version(),
    description='Metric depth, proximity and an alert from a single camera, as ROS 2 nodes',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='fcrn_depth_ros authors',
    license='Apache-2.0',
    license_files=['LICENSE', 'THIRD_PARTY.md'],
    keywords=['robotics', 'ROS 2', 'monocular depth estimation', 'obstacle detection', 'ONNX'],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in (10, 11, 12, 13)),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE_NAME, f'{PACKAGE_NAME}.*']),
    package_data={
        PACKAGE_NAME: [
            'models/*',
            'demo_clip/*',
            'py.typed',
            'dashboard/web/*',
            'dashboard/web/texts/*',
        ]
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE_NAME}']),
        (f'share/{PACKAGE_NAME}', ['package.xml']),
        *share_files('launch'),
        *share_files('config'),
        *share_files('rviz'),
    ],
    zip_safe=False,
    install_requires=read_requirements('runtime.txt'),
    extras_require={
        'kilted': read_requirements('ros-wheels-kilted.txt'),
        'jazzy': read_requirements('ros-wheels-jazzy.txt'),
        # The page: web server, certificate, QR code, recordings. The nodes need none of them.
        'dashboard': read_requirements('dashboard.txt'),
        # The page serves Foxglove and Lichtblick, too.
        'foxglove': [*read_requirements('dashboard.txt'), 'foxglove-sdk>=0.20,<1'],
        # Progress bars; quantize and import-weights; evaluate on NYU's .mat file; pictures from
        # bags. `image` needs none of them.
        'tools': ['tqdm>=4.66', 'onnx>=1.18', 'h5py>=3.10', 'rosbags>=0.10', 'pooch>=1.8'],
        # bag; on a cluster it needs ray, too.
        'bags': ['tqdm>=4.66', 'rosbags>=0.11', 'pyarrow>=17', 'fsspec>=2024.6'],
        'ray': ['ray>=2.40'],
        # import-weights of a Core ML file.
        'coreml': ['coremltools>=8.0'],
        # benchmark/ with its peers and its chart. ONNX Runtime's own OpenVINO provider is another
        # build of it (onnxruntime-openvino), which must replace onnxruntime, not join it.
        'bench': ['matplotlib>=3.8', 'onnx>=1.18', 'openvino>=2024.4', 'torch>=2.4'],
        'dev': read_requirements('dev.txt'),
        # colcon test runs pytest where this names it.
        'test': ['pytest'],
    },
    entry_points={
        'console_scripts': [
            f'{name} = {PACKAGE_NAME}.nodes.{name}:main'
            for name in (
                'depth_node',
                'alert_node',
                'bringup',
                'image_source',
                'demo_recorder',
                'dashboard',
            )
        ]
        + [f'fcrn-depth = {PACKAGE_NAME}.__main__:main'],
    },
)
