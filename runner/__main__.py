if __name__ == "__main__":
    from runner.app import main

    main()
