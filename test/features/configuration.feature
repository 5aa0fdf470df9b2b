@concurrent
Feature: Configuration

  @ORCH-3030 @OC-CONFIG-6001
  Scenario: Mistakes of every kind are told at once, each with its name, its value and what was expected
    Given a node of its own
    And the pools file says
      """
      pools:
        - id: Pool_0
          engine: llamacp
          devices: [0]
          slotz: 3
        - id: twice
          engine: llamacpp
          model: /m.gguf
          devices: []
        - id: twice
          engine: llamacpp
          model: /m.gguf
          devices: [0]
          slots: 0
      """
    When the daemon is started in vain with
      | POOL_MANAGERD_SHUTDOWN                  | maybe     |
      | POOL_MANAGERD_WATCH_INTERVAL_MS         | 5         |
      | POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS | soon      |
      | POOL_MANAGERD_PORT_RANGE                | 9-1       |
      | POOL_MANAGERD_AUTO_DELETE_HANDOFF       | perhaps   |
      | POOL_MANAGERD_NODE_ID                   | -x-       |
      | ORCHESTRATORD_URL                       | ftp://x   |
    Then it exits with 78
    And it says
      | POOL_MANAGERD_SHUTDOWN                  |
      | maybe                                   |
      | POOL_MANAGERD_WATCH_INTERVAL_MS         |
      | POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS |
      | POOL_MANAGERD_PORT_RANGE                |
      | POOL_MANAGERD_AUTO_DELETE_HANDOFF       |
      | POOL_MANAGERD_NODE_ID                   |
      | ORCHESTRATORD_URL                       |
      | Pool_0                                  |
      | llamacp                                 |
      | slotz                                   |
      | devices                                 |
      | slots                                   |

  Scenario: A file that is no YAML is told with its place
    Given a node of its own
    And the pools file says
      """
      pools: [
      """
    When the daemon is started in vain
    Then it exits with 78
    And it says
      | pools.yaml |

  @fault-10
  Scenario: A changed file that is not valid changes nothing
    Given a node of its own
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" of the pools file gets
      | slots | -1 |
    Then the daemon logs that the pools file is not valid
    And the pool "chat" shows
      | ready | true |
    And the engine of pool "chat" is still the same

  @fault-75
  Scenario: One state directory has one daemon
    Given a node of its own
    When another daemon is started on the same state directory
    Then it exits with 75
    And it names the daemon that is there
    And it says
      | POOL_MANAGERD_STATE_DIR |
    When somebody asks for "/health"
    Then the answer is 200
