"""Meshes, layouts and strategies in Keras's words; `training/test_distributed.py` has what they do."""

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import distribution, layers

DEVICES = [f"cpu:{number}" for number in range(4)]


@pytest.fixture(params=[distribution, keras.distribution], ids=["ours", "keras"])
def room(request):
    """Our room, and Keras's, which must say the same."""
    return request.param


@pytest.fixture
def mesh(room):
    """Four devices in a square."""
    return room.DeviceMesh((2, 2), ["batch", "model"], devices=DEVICES)


def test_a_mesh_is_a_grid_of_names(mesh):
    assert (mesh.shape, mesh.axis_names) == ((2, 2), ["batch", "model"])
    assert mesh.devices.tolist() == [DEVICES[:2], DEVICES[2:]]
    assert repr(mesh) == "<DeviceMesh shape=(2, 2), axis_names=['batch', 'model']>"


@pytest.mark.parametrize(
    ("shape", "names", "devices", "message"),
    [
        (None, None, None, "Shape and axis_names cannot be empty"),
        ((2,), ["a", "b"], DEVICES, "Shape and axis_names should have same size"),
        ((2, 2), ["a", "b"], DEVICES[:1], "Shape does not match the number of devices"),
    ],
    ids=["empty", "names", "devices"],
)
def test_a_mesh_refuses(room, shape, names, devices, message):
    with pytest.raises(ValueError, match=message):
        room.DeviceMesh(shape, names, devices=devices)


def test_layouts_name_axes_of_their_mesh(room, mesh):
    layout = room.TensorLayout(["batch", None])
    assert layout.device_mesh is None
    layout.device_mesh = mesh
    assert (layout.axes, layout.device_mesh) == (("batch", None), mesh)
    with pytest.raises(ValueError, match="Cannot override device mesh value"):
        layout.device_mesh = mesh
    with pytest.raises(ValueError, match="Invalid axis names for Layout"):
        room.TensorLayout(["rows"], mesh)


def test_a_map_finds_layouts_by_patterns(room, mesh):
    found = room.LayoutMap(mesh)
    found["dense.*kernel"] = (None, "model")
    found["dense.*bias"] = room.TensorLayout(("model",))
    assert found["dense_1/kernel"].axes == (None, "model")
    assert found["dense_1/bias"].device_mesh is mesh
    assert found["dense/foo"] is None
    assert (list(found), len(found)) == (["dense.*kernel", "dense.*bias"], 2)
    with pytest.raises(ValueError, match="already exist in the LayoutMap"):
        found["dense.*kernel"] = ("model", None)
    with pytest.raises(ValueError, match="should be a TensorLayout type"):
        found["other"] = "model"
    found[".*kernel"] = (None, None)
    with pytest.raises(ValueError, match="matches multiple layout specification keys"):
        found["dense_1/kernel"]
    del found[".*kernel"]
    assert found["dense_1/kernel"] is not None


def test_strategies_tell_layouts(room, mesh):
    variable = keras.Variable(np.ones((3, 2)), name="kernel")
    layout_map = room.LayoutMap(mesh)
    layout_map["kernel"] = (None, "model")
    parallel = room.ModelParallel(layout_map=layout_map, batch_dim_name="batch")
    assert (parallel.device_mesh, parallel.batch_dim_name, parallel.auto_shard_dataset) == (
        mesh,
        "batch",
        True,
    )
    assert parallel.get_data_layout((8, 3, 2)).axes == ("batch", None, None)
    assert parallel.get_variable_layout(variable).axes == (None, "model")
    assert parallel.get_tensor_layout("other") is None
    with pytest.raises(ValueError, match="must be a `LayoutMap` instance"):
        room.ModelParallel(layout_map=3)
    with pytest.raises(ValueError, match="You must specify a layout_map argument"):
        room.ModelParallel()
    with pytest.raises(ValueError, match="Expect `mesh` to be an instance of `DeviceMesh`"):
        room.DataParallel(device_mesh=3)


def test_data_parallel_leaves_weights_whole():
    parallel = distribution.DataParallel()
    assert (parallel.device_mesh.shape, parallel.batch_dim_name) == ((1,), "batch")
    assert (parallel.num_processes, parallel.num_model_replicas, parallel.data_shard_id) == (1, 1, 0)
    dense = layers.Dense(2)
    dense.build((None, 3))
    assert parallel.get_variable_layout(dense.kernel).axes == (None, None)
    assert parallel.distribute_dataset("data") == "data"
    square = distribution.DeviceMesh((2, 2), ["batch", "model"], devices=DEVICES)
    with pytest.warns(UserWarning, match="Expect the input mesh to be 1D"):
        assert distribution.DataParallel(square).batch_dim_name == "batch"


def test_a_scope_sets_the_distribution():
    parallel = distribution.DataParallel()
    assert distribution.distribution() is None
    with parallel.scope():
        assert distribution.distribution() is parallel
    distribution.set_distribution(parallel)
    assert distribution.distribution() is parallel
    distribution.set_distribution(None)
    assert distribution.distribution() is None


def test_what_a_process_cannot_do_is_refused():
    with pytest.raises(TypeError, match="expected a DataParallel or a ModelParallel, got 3"):
        distribution.set_distribution(3)
    with pytest.raises(
        ValueError, match=r"the mesh has 4 devices, and there are 1 processes.*nproc-per-node=4"
    ):
        distribution.set_distribution(distribution.DataParallel(devices=DEVICES))
    with pytest.raises(ValueError, match=r"`process_id` is missing.*torchrun"):
        distribution.initialize("localhost:1234", num_processes=2)
    with pytest.raises(ValueError, match="must be 'cpu', 'gpu' or 'tpu', got 'abacus'"):
        distribution.list_devices("abacus")


def test_one_process_has_one_device_and_whole_tensors():
    distribution.initialize()
    assert distribution.list_devices("cpu") == ["cpu:0"]
    assert distribution.get_device_count("cpu") == 1
    assert distribution.list_devices("tpu") == []
    mesh = distribution.DeviceMesh((1,), ["batch"], devices=["cpu:0"])
    layout = distribution.TensorLayout(("batch", None), mesh)
    whole = distribution.distribute_tensor(np.eye(2, dtype="float32"), layout)
    assert torch.equal(whole, torch.eye(2))
