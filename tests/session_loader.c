/* Answers requests to a SavedModel by the session loader under TensorFlow Serving.
 *
 * usage: session_loader SAVED_MODEL, requests on stdin, answers on stdout
 *
 * A request is two int32, the numbers of its inputs and outputs, then their tensors:
 * a record each, followed by its values where it is an input. An answer is the records
 * and values of the outputs. Numbers are in the byte order of the machine. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

enum { MAX_TENSORS = 16, MAX_RANK = 8 };

struct record {
  char op[256];
  int32_t index, dtype, rank, unused;
  int64_t dims[MAX_RANK];
};

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static void check(const TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static void read_bytes(void *bytes, size_t size) {
  if (fread(bytes, 1, size, stdin) != size) fail("request", "cut short");
}

static TF_Output find(TF_Graph *graph, const struct record *record) {
  TF_Output output = {TF_GraphOperationByName(graph, record->op), record->index};
  if (!output.oper) fail("no such operation", record->op);
  return output;
}

static TF_Tensor *read_values(const struct record *record) {
  size_t size = TF_DataTypeSize(record->dtype);
  for (int i = 0; i < record->rank; i++) size *= record->dims[i];
  TF_Tensor *tensor = TF_AllocateTensor(record->dtype, record->dims, record->rank, size);
  read_bytes(TF_TensorData(tensor), size);
  return tensor;
}

static void write_tensor(struct record *record, const TF_Tensor *tensor) {
  record->dtype = TF_TensorType(tensor);
  record->rank = TF_NumDims(tensor);
  if (record->rank > MAX_RANK) fail("rank too large", record->op);
  for (int i = 0; i < record->rank; i++) record->dims[i] = TF_Dim(tensor, i);
  fwrite(record, sizeof *record, 1, stdout);
  fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), stdout);
}

static void answer(TF_Session *session, TF_Graph *graph, const int32_t counts[2]) {
  struct record records[2][MAX_TENSORS];
  TF_Output ends[2][MAX_TENSORS];
  TF_Tensor *values[2][MAX_TENSORS];
  for (int side = 0; side < 2; side++) {
    if (counts[side] > MAX_TENSORS) fail("request", "too many tensors");
    for (int i = 0; i < counts[side]; i++) {
      struct record *record = &records[side][i];
      read_bytes(record, sizeof *record);
      ends[side][i] = find(graph, record);
      values[side][i] = side ? NULL : read_values(record);
    }
  }
  TF_Status *status = TF_NewStatus();
  TF_SessionRun(session, NULL, ends[0], values[0], counts[0], ends[1], values[1],
                counts[1], NULL, 0, NULL, status);
  check(status, "TF_SessionRun");
  for (int i = 0; i < counts[1]; i++) write_tensor(&records[1][i], values[1][i]);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 2) fail("usage", "session_loader SAVED_MODEL");
  const char *tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_Session *session = TF_LoadSessionFromSavedModel(
      TF_NewSessionOptions(), NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "TF_LoadSessionFromSavedModel");
  int32_t counts[2];
  while (fread(counts, sizeof counts, 1, stdin) == 1) answer(session, graph, counts);
  return 0;
}
