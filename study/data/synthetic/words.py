"""Common English words of which the synthetic sets are made; most are one token to a tokenizer of English text."""

NAMES = (
    *("Adam", "Alan", "Alex", "Alice", "Amy", "Andrew", "Anna", "Anne", "Anthony", "Ben", "Bill", "Bob", "Brian"),
    *("Carl", "Charles", "Chris", "Claire", "Daniel", "David", "Diana", "Edward", "Ellen", "Emily", "Emma", "Eric"),
    *("Frank", "Fred", "George", "Grace", "Harry", "Helen", "Henry", "Jack", "Jacob", "James", "Jane", "Jason"),
    *("Jennifer", "Jessica", "Jim", "Joe", "John", "Joseph", "Julia", "Karen", "Kate", "Kevin", "Laura", "Linda"),
    *("Lisa", "Louis", "Lucy", "Margaret", "Maria", "Mark", "Martin", "Mary", "Matthew", "Michael", "Nick", "Oliver"),
    *("Patrick", "Paul", "Peter", "Philip", "Rachel", "Richard", "Robert", "Rose", "Ruth", "Ryan", "Sam", "Sarah"),
    *("Scott", "Simon", "Sophie", "Stephen", "Steve", "Susan", "Thomas", "Tim", "Tom", "Victoria", "William"),
)
"""First names."""

NOUNS = (
    *("air", "apple", "arm", "art", "baby", "ball", "bank", "bed", "bird", "boat", "body", "bone", "book", "box"),
    *("boy", "bread", "bridge", "bus", "cake", "camp", "car", "card", "cat", "chair", "child", "city", "class"),
    *("clock", "cloud", "coat", "coffee", "corn", "court", "cow", "cup", "day", "desk", "dog", "door", "dress"),
    *("ear", "earth", "egg", "engine", "eye", "face", "farm", "field", "film", "fire", "fish", "floor", "flower"),
    *("food", "foot", "forest", "friend", "game", "garden", "girl", "glass", "gold", "grass", "hair", "hand", "hat"),
    *("head", "heart", "hill", "home", "horse", "hospital", "hotel", "house", "ice", "island", "key", "king"),
    *("kitchen", "lake", "lamp", "land", "leaf", "leg", "letter", "light", "lion", "machine", "map", "market"),
    *("meal", "milk", "mirror", "money", "month", "moon", "mother", "mountain", "mouth", "music", "name", "night"),
    *("nose", "ocean", "office", "oil", "paper", "park", "phone", "picture", "plane", "plant", "plate", "queen"),
    *("rain", "river", "road", "rock", "roof", "room", "salt", "school", "sea", "ship", "shirt", "shoe", "shop"),
    *("snow", "song", "star", "station", "stone", "street", "sugar", "summer", "sun", "table", "tea", "tower"),
    *("town", "train", "tree", "village", "wall", "watch", "water", "week", "wheel", "wind", "window", "winter"),
    *("wood", "word", "year"),
)
"""Nouns of one or two syllables."""
