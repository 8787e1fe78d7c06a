# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What README and docs tell a reader to type exists, and runs where it can run here.

Python blocks run. `fcrn-depth` commands run on small inputs of the same names. Commands of ROS,
of the nodes and of scripts are checked word by word against the launch plan, the settings, the
topics, services and options of the code. NOT_CHECKED lists what is left, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import functools
import itertools
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any

from bag_files import clip_messages, measured, Messages, write_bag
from fcrn_depth_ros.__main__ import COMMANDS
from fcrn_depth_ros.ros.launch_plan import LAUNCH_ARGUMENTS, plan_launch
from fcrn_depth_ros.ros.node_settings import NODE_SETTINGS
from fcrn_depth_ros.ros.transport import SEGMENT_VARIABLE
from fcrn_depth_ros.settings import check_value, describe_settings, SettingDescription
import pytest
from tiny_dataset import write_scene
from tiny_models import write_model
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / 'README.md',
    ROOT / 'CONTRIBUTING.md',
    *sorted((ROOT / 'docs').glob('*.md')),
    *sorted((ROOT / 'simulation').glob('*.md')),
    *sorted((ROOT / 'training').glob('*.md')),
]

# First words of commands -> why they are not checked. An entry that no page needs is an error.
NOT_CHECKED = {
    'cd': 'plain shell',
    'source': 'plain shell',
    'touch': 'plain shell',
    'git clone': 'would fetch this repository',
    'git show': 'takes a file from an earlier state, which a copy without history does not have',
    'rosdep': 'installs packages of a distribution',
    'pip': 'installs packages; setup.py and requirements/ are tested elsewhere',
    'python3 -m venv': 'makes an environment',
    'colcon': 'builds a workspace; setup.py is tested elsewhere',
    'scripts/test': 'runs this test',
    'scripts/test_training': 'runs tests, in an environment of its own',
    'scripts/test_ray': 'runs tests, in an environment of its own',
    'scripts/check': 'takes no arguments',
    '.ci/run': 'runs this test',
}
# Run by name only: they need the network, hours, or a package that is not installed here.
ONLY_PARSED = {
    'fetch-weights': 'downloads hundreds of megabytes',
    'import-weights': 'needs the downloaded weights',
    's3://': 'needs object storage',
    '--provider OpenVINO': 'needs onnxruntime-openvino',
}
# Script -> the module that reads its command line.
SCRIPTS = {
    'scripts/demo': 'fcrn_depth_ros.nodes.demo',
    'scripts/bench models': 'benchmark.models',
    'scripts/bench node': 'benchmark.node',
    'scripts/bench dashboard': 'benchmark.dashboard',
    'scripts/bench phone': 'benchmark.phone',
    'scripts/bench witnesses': 'benchmark.witnesses',
    'scripts/bench steadiness': 'benchmark.steadiness',
    'scripts/bench bags': 'benchmark.bags',
    'scripts/bench load': 'benchmark.load',
    'scripts/bench transport': 'benchmark.transport',
    'scripts/bench profile': 'benchmark.kernel_profile',
    'scripts/bench rest': 'benchmark.rest',
    'scripts/simulate': 'simulation.simulate',
}
EXECUTABLES = (
    'depth_node',
    'alert_node',
    'bringup',
    'image_source',
    'demo_recorder',
    'dashboard',
)
TRANSITIONS = ('configure', 'activate', 'deactivate', 'cleanup', 'shutdown')


@dataclass(frozen=True)
class Snippet:
    """A block or a command of a page."""

    page: str
    text: str

    def __str__(self) -> str:
        return f'{self.page}: {" ".join(self.text.split())[:70]}'


def blocks(*languages: str) -> Iterator[Snippet]:
    """Yield the fenced blocks of some languages."""
    for page in PAGES:
        for language, text in re.findall(
            r'^```(\S*)\n(.*?)^```', page.read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL
        ):
            if language in languages:
                yield Snippet(page.relative_to(ROOT).as_posix(), text)


def inline_code() -> Iterator[Snippet]:
    """Yield what stands between single backticks."""
    for page in PAGES:
        prose = re.sub(
            r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.MULTILINE | re.DOTALL
        )
        for text in re.findall(r'(?<!`)`([^`]+)`(?!`)', prose):
            yield Snippet(page.relative_to(ROOT).as_posix(), ' '.join(text.split()))


def commands() -> list[Snippet]:
    """List every command of shell blocks, consoles and inline code."""
    found = []
    for block in blocks('bash', 'sh'):
        text = re.sub(r"<<'EOF'\n.*?^EOF$", '', block.text, flags=re.MULTILINE | re.DOTALL)
        for line in text.replace('\\\n', ' ').splitlines():
            found += [Snippet(block.page, part) for part in re.split(r'\s&&\s', line)]
    for block in blocks('console'):
        lines = block.text.splitlines()
        found += [Snippet(block.page, line[2:]) for line in lines if line.startswith('$ ')]
    known = r'(ros2|fcrn-depth|python|pip|image_source|bringup|dashboard|scripts/\w+|colcon)( |$)'
    # A name alone is a mention, not a command.
    found += [code for code in inline_code() if re.match(known, code.text) and ' ' in code.text]
    return [command for command in found if words_of(command.text)]


def words_of(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def settings_of(node: str) -> dict[str, tuple[Any, SettingDescription]]:
    return {
        name: described
        for config in NODE_SETTINGS[node]
        for name, described in describe_settings(config).items()
    }


def check_parameter(nodes: list[str], name: str, text: str) -> None:
    """Check that a node has the parameter, and that the text is a value of it."""
    value = yaml.safe_load(text)
    having = [node for node in nodes if name in settings_of(node)]
    assert having, f'{" and ".join(nodes)} has no parameter {name}'
    for node in having:
        default, description = settings_of(node)[name]
        check_value(name, value, default, description)


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Map the services of depth_node and alert_node to their types, and their topics to ''."""
    rclpy = pytest.importorskip('rclpy', reason='needs rclpy')
    from fcrn_depth_ros.nodes.alert_node import AlertNode
    from fcrn_depth_ros.nodes.depth_node import DepthNode
    from rclpy.parameter import Parameter

    rclpy.init()
    model = write_model(tmp_path_factory.mktemp('model') / 'tiny.onnx')
    nodes = [
        DepthNode(parameter_overrides=[Parameter('model_file', value=str(model))]),
        AlertNode(parameter_overrides=[Parameter('cmd_vel_type', value='Twist')]),
    ]
    try:
        topics = {
            entity.topic_name: ''
            for node in nodes
            for entities in (node.publishers, node.subscriptions)
            for entity in entities
        }
        services = {
            node.resolve_service_name(service.srv_name): service.srv_type
            for node in nodes
            for service in node.services
        }
        return topics | {
            name: f'{kind.__module__.split(".")[0]}/srv/{kind.__name__}'
            for name, kind in services.items()
        }
    finally:
        for node in nodes:
            node.shut_down()
            node.destroy_node()
        rclpy.shutdown()


def check_node(name: str) -> str:
    assert name.startswith('/') and name[1:] in NODE_SETTINGS, f'no node {name}'
    return name[1:]


def check_ros_arguments(nodes: list[str], words: list[str]) -> None:
    """Check what follows --ros-args."""
    pairs = list(zip(words[::2], words[1::2], strict=True))
    for flag, rule in pairs:
        assert flag in ('-p', '-r', '--params-file', '--log-level'), flag
        if flag == '-p':
            name, value = rule.split(':=', 1)
            if ':' in name:
                node, name = name.split(':')
                nodes = [node]
            check_parameter(nodes, name, value)


def check_executable(name: str, words: list[str]) -> None:
    """Check the command line of one of our executables."""
    assert name in EXECUTABLES
    at = words.index('--ros-args') if '--ros-args' in words else len(words)
    if name in ('image_source', 'bringup', 'dashboard'):
        check_options(f'fcrn_depth_ros.nodes.{name}', words[:at])
    else:
        assert not words[:at]
    nodes = ['depth_node', 'alert_node'] if name == 'bringup' else [name]
    check_ros_arguments(nodes, words[at + 1 :])


@functools.cache
def known_options(module: str) -> str:
    """Return the help of a program, or its source where it needs what is not installed here."""
    shown = subprocess.run(
        [sys.executable, '-m', module, '--help'],
        cwd=ROOT,
        env={**os.environ, 'COLUMNS': '200'},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if shown.returncode == 0:
        return shown.stdout
    assert 'ModuleNotFoundError' in shown.stderr, shown.stderr
    return (ROOT / f'{module.replace(".", "/")}.py').read_text(encoding='utf-8')


def check_options(module: str, words: list[str]) -> None:
    """Check that a program knows every option."""
    for word in words:
        if word.startswith('--'):
            option = re.escape(word.split('=')[0])
            assert re.search(rf'{option}(?![\w-])', known_options(module)), (
                f'{module} has no option {word}'
            )


def check_launch(words: list[str]) -> None:
    defaults = {argument.name: argument.default for argument in LAUNCH_ARGUMENTS}
    assert words[:2] == ['fcrn_depth_ros', 'depth.launch.py']
    given = dict(word.split(':=', 1) for word in words[2:] if word != '--show-args')
    assert given.keys() <= defaults.keys(), f'no such argument: {given.keys() - defaults.keys()}'
    plan_launch(
        {**defaults, **given},
        share=ROOT,
        scripts=ROOT,
        has_package=lambda _: True,
        distro='kilted',
    )


def check_topic(words: list[str], graph: dict[str, str]) -> None:
    verb, *rest = words
    assert verb in ('echo', 'hz', 'bw', 'delay', 'info', 'list', 'pub')
    for name in (word for word in rest if word.startswith('/')):
        assert name in graph, f'no topic {name}'
    if verb == 'echo' and '--qos-durability' in rest:
        # With any QoS option echo no longer adapts to the publisher: it is best effort then, and
        # gets nothing that was published before.
        assert '--qos-reliability' in rest, 'without --qos-reliability nothing latched arrives'


def check_service(words: list[str], graph: dict[str, str]) -> None:
    verb, name, message_type, *_ = words
    assert verb == 'call'
    assert graph[name] == message_type


def check_parameters(words: list[str], graph: dict[str, str]) -> None:
    verb, *rest = words
    assert verb in ('set', 'get', 'load', 'dump', 'list', 'describe')
    if not rest:
        return  # a mention of the verb
    node = check_node(rest[0])
    if verb == 'set':
        check_parameter([node], rest[1], rest[2])
    elif verb in ('get', 'describe'):
        assert rest[1] in settings_of(node)


def check_lifecycle(words: list[str]) -> None:
    verb, node, *transition = words
    check_node(node)
    assert (verb, transition) == ('get', []) or (verb == 'set' and transition[0] in TRANSITIONS)


def check_security(words: list[str]) -> None:
    if not words:
        return  # a mention of the verb
    verb, *rest = words
    assert verb in ('create_keystore', 'generate_artifacts')
    for option, value in itertools.pairwise(rest):
        if option == '-p':
            assert (ROOT / value).is_file()


def check_ros2(words: list[str], graph: dict[str, str]) -> None:
    kind, *rest = words
    if kind == 'launch':
        if rest:
            check_launch(rest)
    elif kind == 'run':
        if rest:
            assert rest[0] == 'fcrn_depth_ros'
            check_executable(rest[1], rest[2:])
    elif kind == 'topic':
        check_topic(rest, graph)
    elif kind == 'service':
        check_service(rest, graph)
    elif kind == 'param':
        if rest:
            check_parameters(rest, graph)
    elif kind == 'lifecycle':
        check_lifecycle(rest)
    elif kind == 'bag':
        assert rest[0] in ('play', 'reindex', 'record')
    elif kind == 'security':
        check_security(rest)
    else:
        pytest.fail(f'ros2 {kind} is new here: check it')


def check_module(words: list[str]) -> None:
    """Check `python -m MODULE OPTIONS`."""
    name, *rest = words
    if name == 'colcon':
        return
    module = ROOT / f'{name.replace(".", "/")}.py'
    assert module.is_file(), f'no module {name}'
    check_options(name, [word.strip('[]') for word in rest])


def check_export(words: list[str]) -> None:
    name, value = words[0].split('=', 1)
    code = (ROOT / 'fcrn_depth_ros' / 'ros' / 'transport.py').read_text(encoding='utf-8')
    assert f"'{name}'" in code
    if name == SEGMENT_VARIABLE:
        assert 0.5 <= float(value) <= 4095.0
        return
    ours = re.search(r'ros2 pkg prefix --share fcrn_depth_ros\)/(\S+)', ' '.join(words))
    assert ours and (ROOT / ours[1]).is_file(), value


COMMAND_SNIPPETS = commands()
TOOL_SNIPPETS = [
    snippet
    for snippet in COMMAND_SNIPPETS
    if words_of(snippet.text)[0] == 'fcrn-depth'
    or words_of(snippet.text)[:3] == ['python', '-m', 'fcrn_depth_ros']
]


def reason_not_to_check(words: list[str]) -> str | None:
    text = ' '.join(words).replace('provider_env/bin/', '').replace('bench_env/bin/', '')
    return next((first for first in NOT_CHECKED if f'{text} '.startswith(f'{first} ')), None)


@pytest.mark.parametrize(
    'snippet', [s for s in COMMAND_SNIPPETS if s not in TOOL_SNIPPETS], ids=str
)
def test_a_documented_command_exists(snippet: Snippet, graph: dict[str, str]) -> None:
    words = words_of(snippet.text)
    if reason_not_to_check(words):
        return
    first = words[0].rsplit('/bin/', 1)[-1]
    checks: dict[str, Callable[[list[str]], None]] = {
        'ros2': lambda rest: check_ros2(rest, graph),
        'export': check_export,
        'image_source': lambda rest: check_executable('image_source', rest),
        'bringup': lambda rest: check_executable('bringup', rest),
        'dashboard': lambda rest: check_executable('dashboard', rest),
    }
    script = next((name for name in (first, ' '.join(words[:2])) if name in SCRIPTS), None)
    if script is not None:
        assert (ROOT / first).stat().st_mode & 0o100
        check_options(SCRIPTS[script], words[1:])
    elif first == 'python' and words[1] == '-m':
        check_module(words[2:])
    elif first == 'python':
        assert words[1] == '-'  # a script that follows, see below
    elif first in checks:
        checks[first](words[1:])
    else:
        pytest.fail(f'{first} is new here: check it, or say in NOT_CHECKED why not')


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay small files of the names that the pages use into a folder, and go there."""
    clip = ROOT / 'fcrn_depth_ros' / 'demo_clip'
    shutil.copy(clip / '105.000000.jpg', tmp_path / 'photo.jpg')
    shutil.copy(clip / 'camera.json', tmp_path)
    for wall in ('wall_1m', 'wall_2m'):
        (tmp_path / wall).mkdir()
        shutil.copy(clip / '105.000000.jpg', tmp_path / wall)
    (tmp_path / 'walk').mkdir()
    (tmp_path / 'floor').mkdir()
    shutil.copy(clip / '100.000000.jpg', tmp_path / 'floor')
    for index in range(4):
        shutil.copy(clip / f'100.{index}00000.jpg', tmp_path / 'walk')
    poses = [f'{100 + index / 10} 0 0 {0.1 * index} 0 0 0 1' for index in range(10)]
    labels = '100.000000 far\n100.1 100.25 far\n108.000000 near\n'
    (tmp_path / 'labels.txt').write_text(labels)
    shutil.copy(ROOT / 'config' / 'depth_node.yaml', tmp_path / 'calibration.yaml')
    shutil.copy(clip / '108.000000.jpg', tmp_path / 'walk')
    (tmp_path / 'poses.txt').write_text('\n'.join(poses))
    for dataset in ('DATA', 'DIR'):
        write_scene(tmp_path / dataset, 'room', [1.0, 1.5])
        (tmp_path / dataset / 'splits').mkdir()
        (tmp_path / dataset / 'splits' / 'val.txt').write_text('room\n')
    write_bag(tmp_path / 'drive', measured('16UC1'))
    write_bag(tmp_path / 'drives' / 'drive', clip_messages(Messages(), 6))
    write_model(tmp_path / 'my_network.onnx')
    write_model(tmp_path / 'M')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    return tmp_path


@pytest.mark.parametrize('snippet', TOOL_SNIPPETS, ids=str)
def test_a_documented_tool_runs(snippet: Snippet, workplace: Path) -> None:
    words = words_of(snippet.text)
    words = words[1:] if words[0] == 'fcrn-depth' else words[3:]
    assert words[0] in COMMANDS
    if any(key in ' '.join(words) for key in ONLY_PARSED):
        shown = run_tool([words[0], '--help']).stdout
        for word in words[1:]:
            assert not word.startswith('--') or word in shown, f'{words[0]} has no {word}'
        return
    if words[1:]:  # else a mention
        result = run_tool(words)
        assert result.returncode == 0, result.stderr


def run_tool(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', 'fcrn_depth_ros', *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize('snippet', list(blocks('python')), ids=str)
def test_a_documented_python_block_runs(snippet: Snippet, workplace: Path) -> None:
    (workplace / 'fcrn_depth_ros').symlink_to(ROOT / 'fcrn_depth_ros')
    result = subprocess.run(
        [sys.executable, '-c', snippet.text],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    promised = re.findall(r'^# (.*)', snippet.text, re.MULTILINE)
    if promised:
        assert_same_figures(result.stdout, ' '.join(promised))


def assert_same_figures(output: str, promised: str) -> None:
    """Check word by word; a number is promised with as many digits as it has."""
    for got, expected in zip(output.split(), promised.split(), strict=True):
        digits = re.fullmatch(r'\d+\.(\d+)', expected)
        assert (f'{float(got):.{len(digits[1])}f}' if digits else got) == expected


@pytest.mark.parametrize(
    'snippet',
    [block for block in blocks('bash', 'sh') if '<<' in block.text],
    ids=str,
)
def test_a_documented_script_compiles(snippet: Snippet) -> None:
    # They evaluate reports that take hours to make.
    for script in re.findall(r"<<'EOF'\n(.*?)^EOF$", snippet.text, re.MULTILINE | re.DOTALL):
        compile(script, snippet.page, 'exec')


@pytest.mark.parametrize(
    'snippet',
    [code for code in inline_code() if re.fullmatch(r'\w+:=\S*', code.text)],
    ids=str,
)
def test_a_documented_argument_is_one_of_the_launch_file(snippet: Snippet) -> None:
    name, value = snippet.text.split(':=')
    defaults = {argument.name: argument.default for argument in LAUNCH_ARGUMENTS}
    if name not in defaults:
        check_parameter(list(NODE_SETTINGS), name, value)
    elif name != 'params_file':
        check_launch(['fcrn_depth_ros', 'depth.launch.py', snippet.text])


@pytest.mark.parametrize('first', NOT_CHECKED)
def test_what_is_not_checked_is_still_documented(first: str) -> None:
    assert any(reason_not_to_check(words_of(s.text)) == first for s in COMMAND_SNIPPETS)


@pytest.mark.parametrize('key', ONLY_PARSED)
def test_what_is_only_parsed_is_still_documented(key: str) -> None:
    assert any(key in snippet.text for snippet in TOOL_SNIPPETS)


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('ros2 launch fcrn_depth_ros depth.launch.py camera_heigth_m:=1', 'no such argument'),
        ('ros2 launch fcrn_depth_ros depth.launch.py camera_height_m:=99', 'must be a finite'),
        ('ros2 param set /depth_node near_distance 1.0', 'has no parameter near_distance'),
        ('ros2 topic echo /proximity/rage', 'no topic /proximity/rage'),
        ('ros2 topic echo /alert/state --qos-durability transient_local', 'nothing latched'),
        ('ros2 run fcrn_depth_ros bringup --ros-args -p provide:=CPU', 'no parameter provide'),
        ('scripts/demo --image DIR', 'has no option --image'),
        ('ros2 daemon stop', 'ros2 daemon is new here'),
        ('systemctl restart robot', 'systemctl is new here'),
    ],
)
def test_a_wrong_command_is_noticed(command: str, message: str, graph: dict[str, str]) -> None:
    with pytest.raises(BaseException, match=message):  # pytest.fail is no Exception
        test_a_documented_command_exists(Snippet('README.md', command), graph)
