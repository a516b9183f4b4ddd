"""A run's metrics for TensorBoard, MLflow, Weights & Biases: from its store, by their own libraries.

points    what is new in a store since the last time
trackers  the three, each a thin shell round its library
feeding   one tracker kept up with one run, over stops and resumptions
live      all of them beside a run that goes on; they never hold it up
"""
