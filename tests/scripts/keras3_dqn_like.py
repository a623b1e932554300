"""Keras 3: Q-learning on a corridor with a replay buffer, a target network and train_on_batch."""

import random
from collections import deque

import keras
import numpy as np
from keras import layers

random.seed(16)
keras.utils.set_random_seed(16)
LENGTH, ACTIONS = 6, 2
gamma, batch_size = 0.9, 32


def one_hot(state):
    return np.eye(LENGTH, dtype="float32")[state]


def step(state, action):
    state = max(0, state - 1) if action == 0 else state + 1
    done = state == LENGTH - 1
    return state, float(done), done


def create_q_model():
    model = keras.Sequential([keras.Input((LENGTH,)), layers.Dense(24, "relu"), layers.Dense(ACTIONS)])
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0))
    return model


model, target_model = create_q_model(), create_q_model()
target_model.set_weights(model.get_weights())
memory = deque(maxlen=500)
epsilon = 1.0
for episode in range(40):
    state, done, steps = 0, False, 0
    while not done and steps < 30:
        if random.random() < epsilon:
            action = random.randrange(ACTIONS)
        else:
            action = int(keras.ops.argmax(model(one_hot(state)[None])[0]))
        following, reward, done = step(state, action)
        memory.append((state, action, reward, following, done))
        state, steps = following, steps + 1
    epsilon = max(0.1, epsilon * 0.93)
    if len(memory) >= batch_size:
        for _ in range(6):
            batch = random.sample(memory, batch_size)
            states = one_hot([b[0] for b in batch])
            following = one_hot([b[3] for b in batch])
            target = model.predict_on_batch(states)
            future = target_model.predict_on_batch(following)
            for i, (_, action, reward, _, done) in enumerate(batch):
                target[i][action] = reward if done else reward + gamma * np.amax(future[i])
            loss = model.train_on_batch(states, target)
    if episode % 4 == 0:
        target_model.set_weights(model.get_weights())
policy = model.predict(np.eye(LENGTH, dtype="float32")[:-1], verbose=0).argmax(1)
print(policy, loss)
assert policy.tolist() == [1] * (LENGTH - 1)
