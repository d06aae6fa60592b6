"""Serving's messages as declared here, against TensorFlow's protos and, where they are installed, against Serving's."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.serving import messages

INPUTS = {
    "image": np.arange(2 * 3 * 100, dtype=np.uint8).reshape(2, 3, 100),
    "image_bytes": np.array([b"", b"\x89PNG" + bytes(300)], object),
    "none": np.zeros((0, 5), np.uint8),
}
RESPONSE = messages.write("PredictResponse", outputs=messages.entries(INPUTS))


def _assert_inputs(entries):
    got = messages.arrays(entries)
    assert set(got) == set(INPUTS)
    for name, array in INPUTS.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape
        assert got[name].tolist() == array.tolist()


def test_requests_and_responses_come_back():
    encoded = messages.predict_request("inpaint", "encoded", INPUTS, version=300)
    request = messages.read("PredictRequest", encoded)
    assert (request.model_spec.name, request.model_spec.signature_name) == ("inpaint", "encoded")
    _assert_inputs(request.inputs)
    _assert_inputs(messages.read("PredictResponse", RESPONSE).outputs)


def test_arrays_are_tensorflow_s():
    def read(proto):
        return messages._array(messages.read("Tensor", proto.SerializeToString()))

    for array in INPUTS.values():
        proto = tf.compat.v1.make_tensor_proto(array if array.dtype == np.uint8 else list(array))
        np.testing.assert_array_equal(read(proto), array)
        written = messages.write("Tensor", **messages._tensor(array))
        assert tf.make_ndarray(type(proto).FromString(written)).tolist() == array.tolist()
    levels = [0, 127, 128, 129, 255, 255, 1, 200]
    one_by_one = tf.compat.v1.make_tensor_proto(levels, tf.uint8)
    one_by_one.tensor_content = b""
    one_by_one.int_val[:] = levels[:6]
    assert read(one_by_one).tolist() == levels[:6] + [255, 255]
    one_by_one.int_val[:] = levels
    assert read(one_by_one).tolist() == levels


def test_the_real_protos_agree():
    predict = pytest.importorskip("tensorflow_serving.apis.predict_pb2", reason="tensorflow-serving-api not installed")
    from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2

    encoded = messages.predict_request("inpaint", "encoded", INPUTS, version=3)
    request = predict.PredictRequest.FromString(encoded)
    spec = request.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("inpaint", "encoded", 3)
    assert {name: tf.make_ndarray(array).tolist() for name, array in request.inputs.items()} == {
        name: array.tolist() for name, array in INPUTS.items()
    }
    _assert_inputs(messages.read("PredictRequest", request.SerializeToString()).inputs)

    response = predict.PredictResponse.FromString(RESPONSE)
    response.model_spec.name = "inpaint"
    _assert_inputs(messages.read("PredictResponse", response.SerializeToString()).outputs)

    log = messages.write("PredictionLog", predict_log={"request": messages.read("PredictRequest", encoded)})
    assert prediction_log_pb2.PredictionLog.FromString(log).predict_log.request == request

    asked = messages.write("GetModelStatusRequest", model_spec={"name": "inpaint"})
    assert get_model_status_pb2.GetModelStatusRequest.FromString(asked).model_spec.name == "inpaint"
    told = get_model_status_pb2.GetModelStatusResponse()
    told.model_version_status.add(version=7, state="AVAILABLE")
    told.model_version_status.add(version=6, state="END")
    statuses = messages.read("GetModelStatusResponse", told.SerializeToString()).model_version_status
    assert {status.version: status.state for status in statuses} == {7: messages.AVAILABLE, 6: 50}


def test_other_arrays_and_damaged_messages_are_refused():
    with pytest.raises(ValueError, match="`array` must be uint8 or of bytes. Received: float32"):
        messages.predict_request("m", "s", {"x": np.zeros(3, np.float32)})
    for damaged in (RESPONSE[:-7], b"\x80", b"\x0b"):
        with pytest.raises(ValueError, match="`message` must be a whole protocol buffer. Received: "):
            messages.read("PredictResponse", damaged)
